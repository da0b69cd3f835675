// The one thing that libmicrohttpd has no callback for: the answers that it gives by itself.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

/// Called before MHD queues a page of its own, inside MHD_run. May put another response in the page's place; false if none
/// shall be queued, after which MHD closes the connection.
typedef bool (*sandglass_mhd_page_hook)(struct MHD_Connection *connection, unsigned int status,
                                        struct MHD_Response **response);

/// Sets the hook of all daemons, before the first is started. False if this process has no other MHD_queue_response.
bool sandglass_mhd_hook_pages(sandglass_mhd_page_hook hook);

/// The library's MHD_queue_response, for our own answers.
enum MHD_Result sandglass_mhd_queue_response(struct MHD_Connection *connection, unsigned int status,
                                             struct MHD_Response *response);
