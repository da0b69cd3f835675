// Creates files, directories and links below one directory. No symbolic link is followed on the way to any of them.
#pragma once

#include "../system.h"

#include <limits.h>

// A directory in which entries are created, with the parent directory of the last entry.
struct sandglass_tree {
    int root;
    int parent;           // the last parent directory, or -1
    size_t parent_length; // length of its path below the root
    char parent_path[PATH_MAX];
};

// Opens the directory. Returns 0, or -1 with errno. The umask becomes 022.
int sandglass_tree_open(struct sandglass_tree *tree, const char *root);
void sandglass_tree_close(struct sandglass_tree *tree);

// All paths are relative to the root, without empty, "." and ".." parts. Missing parent directories are created.
// Nothing that exists is replaced. Each function returns 0, or -1 with errno; ENOTDIR: a parent is a file or a link.

// Returns a descriptor for writing.
int sandglass_tree_create_file(struct sandglass_tree *tree, const char *path, mode_t mode);
// Succeeds if the directory exists.
int sandglass_tree_create_directory(struct sandglass_tree *tree, const char *path);
// Refuses a target that does not stay below the root (EINVAL).
int sandglass_tree_create_symbolic_link(struct sandglass_tree *tree, const char *path, const char *target);
// Creates another name of a regular file.
int sandglass_tree_create_hard_link(struct sandglass_tree *tree, const char *path, const char *existing);

// Writes a part of another file. Returns 0, or -1 with errno.
int sandglass_copy(int to, int from, uint64_t offset, uint64_t length);
