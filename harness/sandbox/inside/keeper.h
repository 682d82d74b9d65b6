#pragma once

namespace trialwright::inside {

/// Where the keeper's files are mounted in its own mount namespace: a path that every Linux has and
/// that neither the keeper nor bubblewrap needs.
constexpr const char* kKeeperRoot = "/sys";

/// Runs as the one process that holds the boxes' file trees and starts the boxes.
///
/// It lives in a mount namespace of its own (and, when the harness is not root, in a user namespace
/// of its own), so that no mount is ever seen by the host and all are gone when the keeper and its
/// boxes are. It has one thread and is small, so that starting a box from it is cheap and the
/// kernel's death signal, which follows a thread, means what it says. It ends when the harness
/// closes the other end of `socket`; its boxes end with it.
///
/// Requests, answered in order:
///   open MAPPED|SINGLE UID              -> done | error TEXT            (first, once)
///   tree ID BYTES                       -> file + folder fd | error TEXT
///   layer ID FOLDER                     -> done | error TEXT
///   look ID PATH FLAGS                  -> done + fd | errno NUMBER
///   drop ID                             -> done
///   start STEP... + socket, stderr, filter, cgroup files...   -> done PID | error TEXT
///   kill PID                            -> done
///
/// `tree` mounts an empty memory file system of at most BYTES. `look` opens a file in it without
/// following links; to the keeper, as to root inside, no mode closes it. `layer` shows a folder of
/// the host, its files owned by the boxes' ids. The steps of `start`, done by the box's own process
/// before it becomes bubblewrap:
///   overlay TARGET OPTIONS     mounts an overlay file system
///   folder ROOT PATH           makes PATH below ROOT a folder all the way, replacing other things
///   limit RESOURCE VALUE       setrlimit, both limits
///   exec ARGUMENT...           the rest: becomes this program
/// In the program 3 is the socket, 4 the filter, 5 this program itself, 2 the stderr; all else is
/// closed.
int run_keeper(int socket);

}  // namespace trialwright::inside
