#pragma once

// Says hello. Returns 0, or 1 if it cannot.
int greet(const char *name);
