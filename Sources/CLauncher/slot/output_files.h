// Output files of a run in its /box, opened for the server after the run's last process has exited.
#pragma once

#include "../system.h"

// Opens files on the server's request, as the run's user, until the server closes the control socket.
void sandglass_output_files_serve(int control);
