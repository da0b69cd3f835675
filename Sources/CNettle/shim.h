// SHA-256 from nettle.
#pragma once

#include <nettle/sha2.h>
#include <nettle/version.h>
#include <stddef.h>

// Exist because nettle's names are macros, which Swift does not import.
static inline void sandglass_sha256_init(struct sha256_ctx *context) { sha256_init(context); }
static inline void sandglass_sha256_update(struct sha256_ctx *context, const void *bytes, size_t count) {
    sha256_update(context, count, (const unsigned char *)bytes);
}

// Nettle 4 removed the length parameter of the digest.
static inline void sandglass_sha256_digest(struct sha256_ctx *context, unsigned char digest[SHA256_DIGEST_SIZE]) {
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(context, digest);
#else
    sha256_digest(context, SHA256_DIGEST_SIZE, digest);
#endif
}

static inline void sandglass_sha256(const void *bytes, size_t count, unsigned char digest[SHA256_DIGEST_SIZE]) {
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, count, (const unsigned char *)bytes);
    sandglass_sha256_digest(&context, digest);
}
