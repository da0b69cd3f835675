#include "tar.h"

#include <string.h>

enum { BLOCK = 512 };

// Fields of a header block: offset and length.
enum { NAME = 0, NAME_LENGTH = 100 };
enum { MODE = 100, MODE_LENGTH = 8 };
enum { SIZE = 124, SIZE_LENGTH = 12 };
enum { CHECKSUM = 148, CHECKSUM_LENGTH = 8 };
enum { TYPE = 156 };
enum { LINK_NAME = 157, LINK_NAME_LENGTH = 100 };
enum { MAGIC = 257 };
enum { PREFIX = 345, PREFIX_LENGTH = 155 };

// What earlier headers have stated about the next entry.
struct overrides {
    bool has_path, has_target, has_length;
    bool has_pax;
    uint64_t length;
};

static int fail(int error) {
    errno = error;
    return -1;
}

// Async-signal-safe.
void sandglass_tar_open(struct sandglass_tar *tar, int file, uint64_t start, uint64_t length) {
    tar->file = file;
    tar->start = start;
    tar->length = length;
    tar->position = tar->window_start = 0;
    tar->window_length = 0;
}

// Async-signal-safe.
const unsigned char *sandglass_tar_read(struct sandglass_tar *tar, uint64_t offset, size_t length) {
    errno = EBADMSG;
    if (length > sizeof tar->window || offset > tar->length || length > tar->length - offset) return NULL;
    if (offset >= tar->window_start && offset - tar->window_start <= tar->window_length
        && length <= tar->window_length - (offset - tar->window_start))
        return tar->window + (offset - tar->window_start);
    uint64_t rest = tar->length - offset;
    size_t wanted = rest < sizeof tar->window ? (size_t)rest : sizeof tar->window;
    tar->window_start = offset;
    tar->window_length = 0;
    while (tar->window_length < wanted) {
        ssize_t count = pread(
            tar->file, tar->window + tar->window_length, wanted - tar->window_length,
            (off_t)(tar->start + offset + tar->window_length)
        );
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO;
        if (count <= 0) return NULL;
        tar->window_length += (size_t)count;
    }
    return tar->window;
}

// MARK: Fields

// Reads octal digits, or a binary number after a byte of 0x80 (GNU). An empty field is zero.
static bool read_number(const unsigned char *field, size_t length, uint64_t *number) {
    uint64_t value = 0;
    if (field[0] & 0x80) {
        if (field[0] != 0x80) return false;
        for (size_t i = 1; i < length; i++) {
            if (value >> 56) return false;
            value = value << 8 | field[i];
        }
        *number = value;
        return true;
    }
    size_t i = 0;
    while (i < length && field[i] == ' ') i++;
    // A field of twelve digits has 36 bits.
    for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) value = value << 3 | (uint64_t)(field[i] - '0');
    for (; i < length; i++)
        if (field[i] != ' ' && field[i] != '\0') return false;
    *number = value;
    return true;
}

static bool has_valid_checksum(const unsigned char *header) {
    uint64_t stated, sum = 0;
    if (!read_number(header + CHECKSUM, CHECKSUM_LENGTH, &stated)) return false;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM && i < CHECKSUM + CHECKSUM_LENGTH ? (unsigned char)' ' : header[i];
    return sum == stated;
}

static bool is_zero(const unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0) return false;
    return true;
}

// Copies a text that a NUL ends unless it fills its field.
static size_t copy_field(char *to, const unsigned char *field, size_t length) {
    size_t count = strnlen((const char *)field, length);
    memcpy(to, field, count);
    to[count] = '\0';
    return count;
}

static void read_path(const unsigned char *header, bool is_posix, char *path) {
    size_t length = 0;
    // GNU's format has other fields in place of the prefix.
    if (is_posix && header[PREFIX] != '\0') {
        length = copy_field(path, header + PREFIX, PREFIX_LENGTH);
        path[length++] = '/';
    }
    copy_field(path + length, header + NAME, NAME_LENGTH);
}

// MARK: Headers about the next entry

static int copy_text(char *to, const unsigned char *text, size_t length) {
    if (length >= PATH_MAX) return fail(ENAMETOOLONG);
    if (memchr(text, '\0', length)) return fail(EINVAL);
    memcpy(to, text, length);
    to[length] = '\0';
    return 0;
}

static bool is_key(const unsigned char *key, size_t length, const char *name) {
    return length == strlen(name) && memcmp(key, name, length) == 0;
}

static int read_decimal(const unsigned char *text, size_t length, uint64_t *number) {
    uint64_t value = 0;
    if (length == 0 || length > 18) return fail(EBADMSG);
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return fail(EBADMSG);
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return 0;
}

static int take_record(
    struct sandglass_tar_entry *entry, struct overrides *next, const unsigned char *key, size_t key_length,
    const unsigned char *value, size_t length
) {
    static const char sparse[] = "GNU.sparse.";
    // Such a file's content has another form.
    if (key_length >= sizeof sparse - 1 && memcmp(key, sparse, sizeof sparse - 1) == 0) return fail(EOPNOTSUPP);
    // An empty value restores that of the entry's own header.
    if (is_key(key, key_length, "path")) {
        next->has_path = length > 0;
        return copy_text(entry->path, value, length);
    }
    if (is_key(key, key_length, "linkpath")) {
        next->has_target = length > 0;
        return copy_text(entry->target, value, length);
    }
    if (is_key(key, key_length, "size")) {
        next->has_length = length > 0;
        return length > 0 ? read_decimal(value, length, &next->length) : 0;
    }
    return 0;
}

// Reads records of the form "LENGTH KEY=VALUE\n", whose length includes itself.
static int take_records(
    struct sandglass_tar_entry *entry, struct overrides *next, const unsigned char *at, size_t length
) {
    while (length > 0) {
        const unsigned char *space = memchr(at, ' ', length);
        uint64_t record;
        if (!space) return fail(EBADMSG);
        size_t digits = (size_t)(space - at);
        if (read_decimal(at, digits, &record) < 0) return -1;
        // At least a space, a key of one character, an equals sign and a line feed.
        if (record > length || record < digits + 4 || at[record - 1] != '\n') return fail(EBADMSG);
        const unsigned char *key = space + 1;
        size_t rest = (size_t)record - digits - 2;
        const unsigned char *equals = memchr(key, '=', rest);
        if (!equals || equals == key) return fail(EBADMSG);
        size_t key_length = (size_t)(equals - key);
        if (take_record(entry, next, key, key_length, equals + 1, rest - key_length - 1) < 0) return -1;
        at += record;
        length -= (size_t)record;
    }
    return 0;
}

// Reads a header that describes the next entry, or the archive as a whole.
static int take_extension(
    struct sandglass_tar *tar, struct sandglass_tar_entry *entry, struct overrides *next, char type, uint64_t offset,
    uint64_t length
) {
    if (length > SANDGLASS_TAR_WINDOW_BYTES) return fail(type == 'L' || type == 'K' ? ENAMETOOLONG : EBADMSG);
    const unsigned char *content = sandglass_tar_read(tar, offset, (size_t)length);
    if (!content) return -1;
    switch (type) {
    case 'x':
        if (next->has_pax) return fail(EBADMSG);
        next->has_pax = true;
        return take_records(entry, next, content, (size_t)length);
    case 'g': {
        // Comments and times of the whole archive mean nothing here. A path or size for all entries makes no sense.
        struct overrides all = {0};
        if (take_records(entry, &all, content, (size_t)length) < 0) return -1;
        bool is_first = !next->has_pax && !next->has_path && !next->has_target;
        return all.has_path || all.has_target || all.has_length || !is_first ? fail(EBADMSG) : 0;
    }
    case 'L':
        if (next->has_path) return fail(EBADMSG);
        next->has_path = true;
        return copy_text(entry->path, content, strnlen((const char *)content, (size_t)length));
    default:
        if (next->has_target) return fail(EBADMSG);
        next->has_target = true;
        return copy_text(entry->target, content, strnlen((const char *)content, (size_t)length));
    }
}

// MARK: Entries

// Only zeros may follow the first block of zeros.
static int check_end(struct sandglass_tar *tar) {
    for (uint64_t at = tar->position; at < tar->length;) {
        uint64_t rest = tar->length - at;
        size_t count = rest < sizeof tar->window ? (size_t)rest : sizeof tar->window;
        const unsigned char *bytes = sandglass_tar_read(tar, at, count);
        if (!bytes) return -1;
        if (!is_zero(bytes, count)) return fail(EBADMSG);
        at += count;
    }
    return 0;
}

static int set_kind(struct sandglass_tar_entry *entry, char type, uint64_t length) {
    size_t path_length = strlen(entry->path);
    entry->length = 0;
    switch (type) {
    case '0':
    case '\0':
    case '7':
        entry->kind = SANDGLASS_TAR_FILE;
        entry->length = length;
        // Formats before ustar wrote directories in this way.
        if (path_length == 0 || entry->path[path_length - 1] != '/') return 0;
        if (length > 0) return fail(EBADMSG);
        entry->kind = SANDGLASS_TAR_DIRECTORY;
        return 0;
    case '5':
        // The size of a directory announces how much it may hold. No content follows.
        entry->kind = SANDGLASS_TAR_DIRECTORY;
        return 0;
    case '1':
    case '2':
        entry->kind = type == '1' ? SANDGLASS_TAR_HARD_LINK : SANDGLASS_TAR_SYMBOLIC_LINK;
        return length > 0 ? fail(EBADMSG) : 0;
    default: return fail(EOPNOTSUPP);
    }
}

// Returns the number of bytes that a content takes in the archive.
static uint64_t padded(uint64_t length) { return (length + BLOCK - 1) / BLOCK * BLOCK; }

// Async-signal-safe, like every function above.
int sandglass_tar_next(struct sandglass_tar *tar, struct sandglass_tar_entry *entry) {
    struct overrides next = {0};
    for (;;) {
        const unsigned char *header = sandglass_tar_read(tar, tar->position, BLOCK);
        if (!header) return -1;
        if (is_zero(header, BLOCK)) {
            bool is_expected = !next.has_pax && !next.has_path && !next.has_target;
            return is_expected ? check_end(tar) : fail(EBADMSG);
        }
        bool is_posix = memcmp(header + MAGIC, "ustar", 6) == 0;
        bool is_gnu = memcmp(header + MAGIC, "ustar  ", 8) == 0;
        uint64_t length, mode;
        if ((!is_posix && !is_gnu) || !has_valid_checksum(header) || !read_number(header + SIZE, SIZE_LENGTH, &length)
            || !read_number(header + MODE, MODE_LENGTH, &mode))
            return fail(EBADMSG);
        char type = (char)header[TYPE];
        bool is_extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
        if (!is_extension) {
            if (next.has_length) length = next.length;
            if (!next.has_path) read_path(header, is_posix, entry->path);
            if (!next.has_target) copy_field(entry->target, header + LINK_NAME, LINK_NAME_LENGTH);
            entry->is_executable = (mode & 0100) != 0;
            if (set_kind(entry, type, length) < 0) return -1;
            length = entry->length;
        }
        // The header block is in the archive, so this does not overflow.
        uint64_t offset = tar->position + BLOCK;
        if (length > tar->length - offset) return fail(EBADMSG);
        tar->position = offset + padded(length);
        entry->offset = offset;
        if (!is_extension) return 1;
        if (take_extension(tar, entry, &next, type, offset, length) < 0) return -1;
    }
}
