/*
 * The floor: the least that any broker does for a SEND_MESSAGE_V2, in C on one thread. It reads the frame, finds the opaque,
 * puts as many bytes as a record has into a file (one pwrite per wake-up, page cache), and answers a reply of the real
 * shape. No checks, no queues, no checksums: what the kernel takes for the same traffic.
 *
 *   floor PORT FILE
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define BUFFER_BYTES (1u << 20)
#define BATCH_BYTES (8u << 20)
/* The file is written round and round, so that the floor needs no more disk than this. */
#define FILE_BYTES (1ull << 30)
/* A record without its body: fixed fields, topic, properties. */
#define RECORD_HEAD_BYTES 200
#define REPLY_BYTES_MAX 512

struct connection {
  int fd;
  char *in;
  size_t in_length;
  char *out;
  size_t out_length;
  size_t out_capacity;
};

static char batch[BATCH_BYTES];
static size_t batch_length;
static uint64_t written;
static int file;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint32_t read_word(const char *at) {
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return ntohl(word);
}

static void write_word(char *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, sizeof value);
}

static void write_batch(void) {
  if (batch_length == 0) return;
  if (pwrite(file, batch, batch_length, (off_t)(written % FILE_BYTES)) < 0) die("pwrite");
  written += batch_length;
  batch_length = 0;
}

static void store(const char *body, size_t length) {
  if (batch_length + RECORD_HEAD_BYTES + length > sizeof batch) write_batch();
  memset(batch + batch_length, 1, RECORD_HEAD_BYTES);
  memcpy(batch + batch_length + RECORD_HEAD_BYTES, body, length);
  batch_length += RECORD_HEAD_BYTES + length;
}

static void reply(struct connection *to, unsigned long opaque) {
  if (to->out_length + REPLY_BYTES_MAX > to->out_capacity) {
    to->out_capacity *= 2;
    to->out = realloc(to->out, to->out_capacity);
    if (to->out == NULL) die("realloc");
  }
  char *frame = to->out + to->out_length;
  int header = snprintf(frame + 8, REPLY_BYTES_MAX - 8,
                        "{\"code\":0,\"extFields\":{\"msgId\":\"7F00000100002A9F%016llX\",\"queueId\":\"1\",\"queueOffset\":\"%llu\","
                        "\"MSG_REGION\":\"DefaultRegion\",\"TRACE_ON\":\"true\"},\"flag\":1,\"language\":\"JAVA\",\"opaque\":%lu,"
                        "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":513}",
                        (unsigned long long)(written + batch_length), (unsigned long long)written, opaque);
  write_word(frame, 4 + (uint32_t)header);
  write_word(frame + 4, (uint32_t)header);
  to->out_length += 8 + (size_t)header;
}

static void take_frames(struct connection *from) {
  static const char name[] = "\"opaque\":";
  size_t at = 0;
  while (from->in_length - at >= 8) {
    size_t size = 4 + (size_t)read_word(from->in + at);
    if (from->in_length - at < size) break;
    const char *header = from->in + at + 8;
    size_t header_length = read_word(from->in + at + 4) & 0xffffff;
    const char *found = memmem(header, header_length, name, sizeof name - 1);
    store(header + header_length, size - 8 - header_length);
    reply(from, found == NULL ? 0 : strtoul(found + sizeof name - 1, NULL, 10));
    at += size;
  }
  memmove(from->in, from->in + at, from->in_length - at);
  from->in_length -= at;
}

/* Answers 0 when the peer is gone. */
static int take_input(struct connection *from) {
  ssize_t got = read(from->fd, from->in + from->in_length, BUFFER_BYTES - from->in_length);
  if (got < 0 && errno == EAGAIN) return 1;
  if (got <= 0) return 0;
  from->in_length += (size_t)got;
  take_frames(from);
  return 1;
}

static void flush(struct connection *to) {
  size_t at = 0;
  while (at < to->out_length) {
    ssize_t sent = write(to->fd, to->out + at, to->out_length - at);
    if (sent < 0 && errno != EAGAIN) break;
    if (sent > 0) at += (size_t)sent;
  }
  to->out_length = 0;
}

static void accept_one(int listener, int epoll) {
  int one = 1;
  struct connection *made = calloc(1, sizeof *made);
  if (made == NULL) die("calloc");
  made->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (made->fd < 0) die("accept");
  setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  made->in = malloc(BUFFER_BYTES);
  made->out = malloc(BUFFER_BYTES);
  made->out_capacity = BUFFER_BYTES;
  if (made->in == NULL || made->out == NULL) die("malloc");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
  epoll_ctl(epoll, EPOLL_CTL_ADD, made->fd, &event);
}

static int listen_on(int port) {
  int one = 1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 512) != 0) die("listen");
  return listener;
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: floor PORT FILE\n");
    return 2;
  }
  file = open(arguments[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0) die(arguments[2]);
  int listener = listen_on(atoi(arguments[1]));
  int epoll = epoll_create1(0);
  struct epoll_event accepting = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepting);
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *peer = events[i].data.ptr;
      if (peer == NULL) {
        accept_one(listener, epoll);
      } else if (!take_input(peer)) {
        close(peer->fd);
        free(peer->in);
        free(peer->out);
        free(peer);
        events[i].data.ptr = NULL;
      }
    }
    write_batch();
    for (int i = 0; i < ready; i++) {
      struct connection *peer = events[i].data.ptr;
      if (peer != NULL) flush(peer);
    }
  }
}
