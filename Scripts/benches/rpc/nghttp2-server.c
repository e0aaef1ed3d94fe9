/* The measure of the RPC benchmark: gRPC's unary call with nothing between nghttp2, epoll, OpenSSL and protobuf-c.
 *
 *   nghttp2-server PORT [CERTIFICATE KEY]
 *
 * One thread. Serves any POST as marquee.v1.Ranking/Rank: the request decoded, a reply of 50 titles made from it and
 * encoded, for each call. No path, deadline, metadata, limit or shutdown: what a server does beyond this is overhead.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "marquee/v1/ranking.pb-c.h"

enum { TITLES = 50, READ_BYTES = 64 << 10, WRITE_BYTES = 128 << 10, FRAME_BYTES = 17 << 10, PREFIX = 5 };

struct connection {
  int socket;
  SSL *tls;
  nghttp2_session *session;
  int waits_to_write;
  size_t begin, end; /* of what is in `out` and not written */
  uint8_t out[WRITE_BYTES + FRAME_BYTES];
};

struct call {
  uint8_t *request, *reply;
  size_t request_size, request_room, reply_size, reply_read;
};

static int poll_set;
static SSL_CTX *tls_context;
static nghttp2_session_callbacks *callbacks;
static char ids[TITLES][16], names[TITLES][32];

#define FIELD(name, value)                                                  \
  {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}
static const nghttp2_nv response[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
static const nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};
static const nghttp2_nv refusal[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc"),
                                     FIELD("grpc-status", "3")};

/* --- the method */

static uint8_t *encode(Marquee__V1__RankResponse *message, size_t *size) {
  size_t length = marquee__v1__rank_response__get_packed_size(message);
  uint8_t *bytes = malloc(PREFIX + length);
  uint32_t big_endian = htonl(length);
  bytes[0] = 0;
  memcpy(bytes + 1, &big_endian, 4);
  marquee__v1__rank_response__pack(message, bytes + PREFIX);
  *size = PREFIX + length;
  return bytes;
}

static uint8_t *rank(const uint8_t *bytes, size_t count, size_t *size) {
  Marquee__V1__RankRequest *request = marquee__v1__rank_request__unpack(NULL, count, bytes);
  if (!request) return NULL;
  unsigned seed = 0;
  for (const unsigned char *c = (unsigned char *)request->profile_id; *c; c++) seed += *c;
  Marquee__V1__RankedTitle titles[TITLES], *title_pointers[TITLES];
  unsigned title_count = request->titles_per_row < TITLES ? request->titles_per_row : TITLES;
  for (unsigned i = 0; i < title_count; i++) {
    marquee__v1__ranked_title__init(&titles[i]);
    titles[i].id = ids[i];
    titles[i].name = names[i];
    titles[i].score = (float)(int)(1000 - i * 15 - seed % 7) / 1000;
    titles[i].source = (Marquee__V1__CandidateSource)(1 + (seed + i) % 6);
    title_pointers[i] = &titles[i];
  }
  Marquee__V1__Row row = MARQUEE__V1__ROW__INIT, *rows[] = {&row};
  row.id = "top_picks";
  row.name = "Top picks for you";
  row.n_titles = title_count;
  row.titles = title_pointers;
  Marquee__V1__SnapshotName snapshot = MARQUEE__V1__SNAPSHOT_NAME__INIT;
  snapshot.sequence = 42;
  snapshot.digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
  snapshot.space = "space-3";
  snapshot.model = "ranker-2026-11-20";
  snapshot.features = "features-7";
  snapshot.policy = "policy-12";
  Marquee__V1__RankResponse reply = MARQUEE__V1__RANK_RESPONSE__INIT;
  reply.request_id = request->request_id;
  reply.n_rows = 1;
  reply.rows = rows;
  reply.snapshot = &snapshot;
  reply.region = "north";
  reply.replica = "north-1";
  reply.routing_epoch = 7;
  uint8_t *encoded = encode(&reply, size);
  marquee__v1__rank_request__free_unpacked(request, NULL);
  return encoded;
}

/* --- HTTP/2 */

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *target, size_t room, uint32_t *flags,
                          nghttp2_data_source *source, void *context) {
  struct call *call = source->ptr;
  size_t count = call->reply_size - call->reply_read;
  if (count > room) count = room;
  memcpy(target, call->reply + call->reply_read, count);
  call->reply_read += count;
  if (call->reply_read == call->reply_size) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 1);
  }
  return count;
}

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, calloc(1, sizeof(struct call)));
  return 0;
}

static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                  const uint8_t *value, size_t value_size, uint8_t flags, void *context) {
  return 0;
}

static int data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t count,
                void *context) {
  struct call *call = nghttp2_session_get_stream_user_data(session, id);
  if (!call) return 0;
  if (call->request_size + count > call->request_room) {
    call->request_room = 2 * (call->request_size + count);
    call->request = realloc(call->request, call->request_room);
  }
  memcpy(call->request + call->request_size, bytes, count);
  call->request_size += count;
  return 0;
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
  struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (!call) return 0;
  if (call->request_size >= PREFIX)
    call->reply = rank(call->request + PREFIX, call->request_size - PREFIX, &call->reply_size);
  if (!call->reply) return nghttp2_submit_response(session, frame->hd.stream_id, refusal, 3, NULL);
  nghttp2_data_provider provider = {{.ptr = call}, read_reply};
  return nghttp2_submit_response(session, frame->hd.stream_id, response, 2, &provider);
}

static int stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *context) {
  struct call *call = nghttp2_session_get_stream_user_data(session, id);
  if (!call) return 0;
  free(call->request);
  free(call->reply);
  free(call);
  return 0;
}

/* --- sockets: each of these answers 0, or -1 when the connection is over */

static int receive(struct connection *c) {
  static uint8_t bytes[READ_BYTES];
  do {
    ssize_t count;
    if (c->tls) {
      count = SSL_read(c->tls, bytes, sizeof bytes); /* does the handshake, too */
      if (count <= 0) {
        int error = SSL_get_error(c->tls, count);
        ERR_clear_error();
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
      }
    } else {
      count = read(c->socket, bytes, sizeof bytes);
      if (count <= 0) return count < 0 && errno == EAGAIN ? 0 : -1;
    }
    if (nghttp2_session_mem_recv(c->session, bytes, count) != count) return -1;
  } while (c->tls && SSL_pending(c->tls));
  return 0;
}

static void listen_for(struct connection *c, int waits_to_write) {
  if (c->waits_to_write == waits_to_write) return;
  c->waits_to_write = waits_to_write;
  struct epoll_event event = {EPOLLIN | (waits_to_write ? EPOLLOUT : 0), {.ptr = c}};
  epoll_ctl(poll_set, EPOLL_CTL_MOD, c->socket, &event);
}

static int transmit(struct connection *c) {
  if (c->tls && !SSL_is_init_finished(c->tls)) return 0;
  for (;;) {
    while (c->end < WRITE_BYTES) {
      const uint8_t *frame;
      ssize_t count = nghttp2_session_mem_send(c->session, &frame);
      if (count < 0) return -1;
      if (count == 0) break;
      memcpy(c->out + c->end, frame, count);
      c->end += count;
    }
    if (c->begin == c->end) break;
    ssize_t count;
    int is_full;
    if (c->tls) {
      count = SSL_write(c->tls, c->out + c->begin, c->end - c->begin);
      is_full = count <= 0 && SSL_get_error(c->tls, count) == SSL_ERROR_WANT_WRITE;
    } else {
      count = write(c->socket, c->out + c->begin, c->end - c->begin);
      is_full = count < 0 && errno == EAGAIN;
    }
    if (is_full) {
      listen_for(c, 1);
      return 0;
    }
    if (count <= 0) return -1;
    c->begin += count;
    if (c->begin == c->end) c->begin = c->end = 0;
  }
  listen_for(c, 0);
  return nghttp2_session_want_read(c->session) || nghttp2_session_want_write(c->session) ? 0 : -1;
}

static void take_connections(int listener) {
  int socket, one = 1;
  while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    c->socket = socket;
    if (tls_context) {
      c->tls = SSL_new(tls_context);
      SSL_set_fd(c->tls, socket);
      SSL_set_accept_state(c->tls);
    }
    nghttp2_session_server_new(&c->session, callbacks, c);
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000};
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, &settings, 1);
    struct epoll_event event = {EPOLLIN, {.ptr = c}};
    epoll_ctl(poll_set, EPOLL_CTL_ADD, socket, &event);
  }
}

/* Calls that are open leak: nghttp2 closes no streams here. The load generator leaves none. */
static void end(struct connection *c) {
  nghttp2_session_del(c->session);
  SSL_free(c->tls);
  close(c->socket);
  free(c);
}

static int choose_h2(SSL *ssl, const unsigned char **chosen, unsigned char *size, const unsigned char *offered,
                     unsigned offered_size, void *context) {
  return nghttp2_select_next_protocol((unsigned char **)chosen, size, offered, offered_size) == 1
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_up(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < TITLES; i++) {
    snprintf(ids[i], sizeof ids[i], "t%d", 1000000 + i * 7919);
    snprintf(names[i], sizeof names[i], "Long Way Home %d", 100 + i);
  }
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
  if (argc < 4) return;
  tls_context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(tls_context, choose_h2, NULL);
  if (SSL_CTX_use_certificate_chain_file(tls_context, argv[2]) == 1 &&
      SSL_CTX_use_PrivateKey_file(tls_context, argv[3], SSL_FILETYPE_PEM) == 1)
    return;
  ERR_print_errors_fp(stderr);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) {
    fprintf(stderr, "usage: nghttp2-server PORT [CERTIFICATE KEY]\n");
    return 2;
  }
  set_up(argc, argv);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
    perror("nghttp2-server");
    return 1;
  }
  poll_set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.ptr = NULL}}, events[64];
  epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(poll_set, events, 64, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c)
        take_connections(listener);
      else if (((events[i].events & ~EPOLLOUT) && receive(c)) || transmit(c))
        end(c);
    }
  }
}
