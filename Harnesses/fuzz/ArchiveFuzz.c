// Unpacks arbitrary bytes as an archive, with the code of a slot, and checks that nothing leaves the directory.

#include "../../Sources/CLauncher/slot/archive.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { BLOCK = 512, CHECKSUM = 148, MAGIC = 257 };

static char scratch[] = "/dev/shm/sandglass-archive-XXXXXX";

static void check(bool holds, const char *text) {
    if (holds) return;
    fprintf(stderr, "%s\n", text);
    abort();
}

// A random change would nearly always end at the checksum.
static void correct_checksums(uint8_t *bytes, size_t size) {
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
        if (memcmp(bytes + at + MAGIC, "ustar", 5) != 0) continue;
        memset(bytes + at + CHECKSUM, ' ', 8);
        unsigned sum = 0;
        for (size_t i = 0; i < BLOCK; i++) sum += bytes[at + i];
        char text[8];
        snprintf(text, sizeof text, "%06o", sum & 0777777);
        memcpy(bytes + at + CHECKSUM, text, 7);
    }
}

// Removes a tree and checks its links: from a directory `depth` levels below the root.
static void remove_tree(int parent, const char *name, int depth) {
    int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    check(directory >= 0, "a directory cannot be opened");
    DIR *stream = fdopendir(directory);
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        struct stat status;
        check(fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0, "an entry has vanished");
        check((status.st_mode & 07000) == 0, "an entry has special permission bits");
        if (S_ISDIR(status.st_mode)) {
            remove_tree(directory, entry->d_name, depth + 1);
            continue;
        }
        check(S_ISREG(status.st_mode) || S_ISLNK(status.st_mode), "an entry is neither a file nor a link");
        if (S_ISLNK(status.st_mode)) {
            char target[PATH_MAX] = {0};
            check(readlinkat(directory, entry->d_name, target, sizeof target - 1) > 0, "a link cannot be read");
            check(target[0] != '/', "a link is absolute");
            int level = depth;
            for (char *rest, *part = strtok_r(target, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
                if (strcmp(part, ".") != 0) level += strcmp(part, "..") == 0 ? -1 : 1;
                check(level >= 0, "a link leads out of the directory");
            }
        }
        unlinkat(directory, entry->d_name, 0);
    }
    closedir(stream);
    unlinkat(parent, name, AT_REMOVEDIR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int top = -1;
    static uint8_t bytes[1 << 20];
    if (top < 0) {
        check(mkdtemp(scratch) != NULL, "the scratch directory cannot be created");
        top = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (size < 1 || size > sizeof bytes) return 0;
    // The first byte chooses the destination and whether the checksums are corrected.
    uint8_t choice = data[0];
    memcpy(bytes, data + 1, size - 1);
    if (choice & 1) correct_checksums(bytes, size - 1);
    int file = memfd_create("archive", MFD_CLOEXEC);
    check(file >= 0 && write(file, bytes, size - 1) == (ssize_t)(size - 1), "the archive cannot be written");
    check(mkdirat(top, "box", 0755) == 0, "the directory cannot be created");
    char path[sizeof scratch + 8];
    snprintf(path, sizeof path, "%s/box", scratch);
    struct sandglass_tree tree;
    check(sandglass_tree_open(&tree, path) == 0, "the directory cannot be opened");
    uint32_t entry;
    sandglass_archive_unpack(&tree, choice & 2 ? "a/b" : ".", file, 0, size - 1, &entry);
    sandglass_tree_close(&tree);
    close(file);
    remove_tree(top, "box", 0);
    DIR *stream = fdopendir(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (struct dirent *left; (left = readdir(stream));)
        check(left->d_name[0] == '.', "something was created outside of the directory");
    closedir(stream);
    return 0;
}
