// libmicrohttpd 0.9.75 refuses what it cannot read (a line without a colon, a Content-Length of "+3", a chunk without a
// size) with an HTML page of its own, and offers no way to word it. But it queues that page by calling its own public
// function through its procedure linkage table, and the dynamic linker (ld.so(8)) looks into the program first. So the
// definition below is called for MHD's own pages, and only for them: our answers go straight to the library's function.
// Where the library was linked with -Bsymbolic this is never called, and clients see MHD's page as they otherwise would.
#define _GNU_SOURCE
#include "CMicroHTTPDHooks.h"

#include <dlfcn.h>
#include <stddef.h>

typedef enum MHD_Result (*queue_function)(struct MHD_Connection *, unsigned int, struct MHD_Response *);

// Both are written before the first daemon is started and never again, always with the same values.
static queue_function library_queue;
static sandglass_mhd_page_hook page_hook;

bool sandglass_mhd_hook_pages(sandglass_mhd_page_hook hook) {
    // POSIX has it that a pointer to an object may stand for one to a function here (dlsym(3p)).
    *(void **)&library_queue = dlsym(RTLD_NEXT, "MHD_queue_response");
    page_hook = hook;
    return library_queue != NULL;
}

enum MHD_Result sandglass_mhd_queue_response(struct MHD_Connection *connection, unsigned int status,
                                             struct MHD_Response *response) {
    return library_queue == NULL ? MHD_NO : library_queue(connection, status, response);
}

_MHD_EXTERN enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                                               struct MHD_Response *response) {
    if (page_hook != NULL && !page_hook(connection, status, &response)) return MHD_NO;
    return sandglass_mhd_queue_response(connection, status, response);
}
