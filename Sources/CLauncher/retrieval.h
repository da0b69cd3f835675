// What a run has left in its /box, opened for the server when no process of the run is left.
#pragma once

#include "system.h"

// Opens what the server asks for, as the user of the run, until the server closes the control socket.
void sandglass_retrieval_serve(int control);
