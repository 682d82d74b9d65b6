// A packet of any bytes is a message, or is known not to be one.

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/files.h"
#include "harness/sandbox/inside/wire.h"

using namespace trialwright;

namespace {

/// Sends the first byte with a descriptor of a memory file that holds the others.
void send_in_file(int socket, const std::uint8_t* data, std::size_t size) {
  const FileDescriptor file(memfd_create("fuzz", MFD_CLOEXEC));
  CHECK(file && ::write(file.get(), data + 1, size - 1) == static_cast<ssize_t>(size - 1),
        "memory for a small file is there");
  std::uint8_t first = data[0];
  iovec part{&first, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = file.get();
  std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  CHECK(sendmsg(socket, &header, MSG_NOSIGNAL) == 1, "the other end is open");
}

void receive(int socket) {
  inside::Message message;
  if (inside::receive_message(socket, message) != inside::Received::Message) {
    CHECK(message.fds.empty(), "what is no message leaves nothing open");
    return;
  }
  CHECK(!message.fields.empty(), "a message says something");
  for (const int fd : message.fds) ::close(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<int, 2> ends{};
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0,
        "sockets can be made");
  const FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  // A packet that is too long for the socket is not sent; receiving then finds nothing.
  static_cast<void>(::send(ours.get(), data, size, MSG_NOSIGNAL));
  receive(theirs.get());
  if (size > 0) {
    send_in_file(ours.get(), data, size);
    receive(theirs.get());
  }
  return 0;
}
