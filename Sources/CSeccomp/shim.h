// libseccomp for Swift: the library's own header, and replacements of macros that Swift cannot call.
#pragma once

#include <seccomp.h>

// Exists because SCMP_ACT_ERRNO is a macro with an argument. With error 0 the system call succeeds without an effect.
static inline uint32_t sandglass_seccomp_return_errno(uint16_t error) { return SCMP_ACT_ERRNO(error); }

// Exist because Swift does not import macros that cast.
static const uint32_t sandglass_seccomp_allow = SCMP_ACT_ALLOW;
static const int sandglass_seccomp_no_such_call = __NR_SCMP_ERROR;
