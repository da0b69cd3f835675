// Replaces libmicrohttpd's own error pages by ours.
//
// libmicrohttpd 0.9.75 refuses malformed requests with an HTML page of its own: a line without a colon, a
// Content-Length of "+3", a chunk without a size. No option changes that page. libmicrohttpd queues the page by calling
// its own public function through its procedure linkage table, and the dynamic linker (ld.so(8)) searches the program
// first. So libmicrohttpd calls the MHD_queue_response() below for its own pages, and only for them: our responses go
// to the library's function directly. A libmicrohttpd linked with -Bsymbolic never calls the function below, and
// clients then see the library's pages.
#define _GNU_SOURCE
#include "CMicroHTTPD.h"

#include <dlfcn.h>
#include <stddef.h>

typedef enum MHD_Result (*queue_function)(struct MHD_Connection *, unsigned int, struct MHD_Response *);

// Both variables are written before the first daemon starts, and later only with the same values.
static queue_function library_queue;
static sandglass_mhd_error_page_hook error_page_hook;

bool sandglass_mhd_set_error_page_hook(sandglass_mhd_error_page_hook hook) {
    // POSIX permits the conversion of this object pointer to a function pointer (dlsym(3p)).
    *(void **)&library_queue = dlsym(RTLD_NEXT, "MHD_queue_response");
    error_page_hook = hook;
    return library_queue != NULL;
}

enum MHD_Result sandglass_mhd_queue_response(struct MHD_Connection *connection, unsigned int status,
                                             struct MHD_Response *response) {
    return library_queue == NULL ? MHD_NO : library_queue(connection, status, response);
}

_MHD_EXTERN enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                                               struct MHD_Response *response) {
    if (error_page_hook != NULL && !error_page_hook(connection, status, &response)) return MHD_NO;
    return sandglass_mhd_queue_response(connection, status, response);
}
