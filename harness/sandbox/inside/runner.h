#pragma once

namespace trialwright::inside {

/// Runs as process 1 of a box: starts commands, kills what a timed-out command left, opens files.
///
/// As process 1 it cannot be killed or stopped from inside, and it makes itself undumpable, so
/// nothing inside can trace it or reach its descriptors. Everything in the box dies with it, and it
/// ends when the harness closes the other end of `socket`.
///
/// Requests (one command at a time):
/// ```
///   run CWD ARGC ARGV... ENV... + stdin, stdout, stderr   -> later: end STATUS | failed ERRNO NAME
///   kill                   ends the command and what it started
///   open PATH                                             -> file + fd | errno NUMBER
///   create PATH MODE       makes parents, truncates; MODE 0 keeps the file's, or is 0644
///                                                         -> file + fd | errno NUMBER
///   folder PATH MODE       makes parents                  -> done | errno NUMBER
///   link TARGET PATH       makes parents, replaces a file -> done | errno NUMBER
/// ```
int run_runner(int socket);

}  // namespace trialwright::inside
