/* exchange: one HTTP exchange through libcurl; see exchange.h. */
#include "exchange.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "alloc.h"
#include "libcurl.h"
#include "locks.h"
#include "trust.h"
#include "url.h"
#include "verdict.h"

#if LIBCURL_VERSION_NUM < 0x074400
#error "libcurl 7.68 or newer is needed"
#endif

#define RECEIVE_BYTES (256L * 1024) /* libcurl's buffer: fewer, longer callbacks for a big answer */
#define SEND_BYTES (16L * 1024)     /* the least that libcurl has: requests are small */
#define GRACE_MS 1000L              /* how much later than ours libcurl's own timeouts come */

struct tr_exchange {
  const struct tr_endpoint *endpoint;
  struct tr_sink sink;
  struct tr_transfer transfer;
  struct tr_reactor *reactor; /* from its start */
  struct tr_timer watch;
  struct curl_slist *headers;
  struct tr_trust trust;
  double connecting; /* the tr_clock() time from which on the time to connect runs; 0: not yet */
  struct tr_slicer slicer;
  struct tr_report report;
  double started;
  struct tr_allowance allowed;
  char raw_head[TR_HEAD_MAX];
  size_t raw_head_length;
  int is_paused;
  int too_many_bytes;
  int deaf; /* what comes is counted but no longer looked at */
  char curl_error[CURL_ERROR_SIZE];
  char old_words[CURL_ERROR_SIZE]; /* what that held before the last socket or header line */
};

void tr_report_cleanup(struct tr_report *report) {
  tr_buffer_cleanup(&report->envelope);
}

/* ---- taking in ---- */

/* A kept connection that broke before its answer began is replaced by libcurl, which goes on telling
** how that one ended, whatever comes after: it writes its words but once (from 8.19 on, once for each
** connection that it makes). */
static void outlive_words(struct tr_exchange *x) {
  if (*x->curl_error) memcpy(x->old_words, x->curl_error, sizeof x->old_words);
}

static size_t on_header(char *line, size_t one, size_t length, void *arg) {
  struct tr_exchange *x = arg;
  (void)one;
  outlive_words(x);
  return tr_headers_take(&x->report.headers, line, length, x->endpoint->secret) == 0 ? length : 0;
}

static int status_of(struct tr_exchange *x) {
  long status = 0;
  curl_easy_getinfo(x->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  return (int)status;
}

/* 0, or -1 to end the exchange. */
static int slice_bytes(struct tr_exchange *x, const char *bytes, size_t length) {
  while (length) {
    size_t used;
    enum tr_slicer_event event = tr_slicer_feed(&x->slicer, bytes, length, &used);
    bytes += used;
    length -= used;
    if (x->slicer.envelope.length > TR_SLICER_ENVELOPE_MAX ||
        x->slicer.slice.length > TR_SLICER_SLICE_MAX) {
      x->slicer.fault = TR_SLICER_FULL;
      event = TR_SLICER_ERROR;
    }
    if (event == TR_SLICER_ERROR) {
      x->deaf = 1;
      if (x->slicer.fault == TR_SLICER_NOMEM) x->report.out_of_memory = 1;
      /* An answer that is a refusal anyway may be read to its end, which keeps the connection. */
      return x->report.out_of_memory || status_of(x) / 100 == 2 ? -1 : 0;
    }
    if (event != TR_SLICER_SLICE) continue;
    size_t slice_length;
    char *text = tr_slicer_take(&x->slicer, &slice_length);
    if (x->sink.slice(x->sink.arg, text, slice_length, &x->slicer) != 0) {
      x->report.out_of_memory = 1;
      return -1;
    }
  }
  return 0;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *arg) {
  struct tr_exchange *x = arg;
  (void)one;
  if (x->sink.is_full(x->sink.arg)) {
    x->is_paused = 1;
    return CURL_WRITEFUNC_PAUSE;
  }
  size_t limit = x->endpoint->max_bytes;
  if (status_of(x) / 100 != 2 && limit > TR_REFUSAL_BYTES_MAX) limit = TR_REFUSAL_BYTES_MAX;
  if (length > limit - x->report.bytes) {
    x->too_many_bytes = 1;
    return 0;
  }
  if (x->raw_head_length < sizeof x->raw_head) {
    size_t room = sizeof x->raw_head - x->raw_head_length, part = length < room ? length : room;
    memcpy(x->raw_head + x->raw_head_length, bytes, part);
    x->raw_head_length += part;
  }
  x->report.bytes += length;
  if (!x->deaf && slice_bytes(x, bytes, length) != 0) return 0;
  return length;
}

/* ---- the end ---- */

static int is_connected(const struct tr_exchange *x) {
  curl_off_t ready = 0;
  curl_easy_getinfo(x->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  return ready > 0;
}

static void judge_transfer(struct tr_exchange *x, CURLcode result) {
  struct tr_report *report = &x->report;
  long proxy_status = 0;
  curl_easy_getinfo(x->transfer.easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  struct tr_ending ending = {
      .result = (int)result,
      .system_error = x->transfer.system_error,
      .words = strcmp(x->curl_error, x->old_words) == 0 ? "" : x->curl_error,
      .is_connected = is_connected(x),
      .is_paused = x->is_paused,
      .proxy_status = (int)proxy_status,
      .bytes = report->bytes,
      .connect_timeout = x->endpoint->connect_timeout,
      .timeout = x->allowed.seconds,
      .option = x->allowed.option,
      .is_try = x->allowed.is_try,
  };
  report->outcome = tr_verdict_of_transfer(&ending, &report->error, &report->out_of_memory);
}

/* Of what is refused, the first that is wrong is told; a transfer that broke off says why itself. */
static void judge_answer(struct tr_exchange *x, enum tr_slicer_fault fault) {
  struct tr_report *report = &x->report;
  int is_fine = report->status / 100 == 2;
  int too_much = x->too_many_bytes || (x->is_paused && report->outcome == TR_OUTCOME_REFUSED);
  if (report->headers.bytes > TR_HEADERS_MAX) {
    report->outcome = TR_OUTCOME_REFUSED;
    tr_verdict_of_headers(&report->error);
  } else if (too_much && !is_fine) {
    report->outcome = TR_OUTCOME_ANSWER; /* what it begins with says all that matters */
    tr_error_clear(&report->error);
  } else if (x->too_many_bytes) {
    report->outcome = TR_OUTCOME_REFUSED;
    tr_verdict_of_size(&report->error, x->endpoint->max_bytes);
  } else if (fault != TR_SLICER_FINE && is_fine && report->outcome != TR_OUTCOME_CONNECTION &&
             report->outcome != TR_OUTCOME_TIMEOUT) {
    report->outcome = TR_OUTCOME_REFUSED;
    tr_verdict_of_text(&report->error, fault, x->slicer.offset, x->raw_head, x->raw_head_length);
  }
}

/* What a body says of itself once it is all there, or has broken off. */
static void settle(struct tr_exchange *x, int is_complete) {
  struct tr_report *report = &x->report;
  report->status = status_of(x);
  report->seconds = tr_clock() - x->started;
  enum tr_slicer_fault fault = is_complete ? tr_slicer_finish(&x->slicer) : x->slicer.fault;
  if (fault == TR_SLICER_FINE && is_complete) {
    report->whole = report->status / 100 == 2;
  } else {
    tr_excerpt_without(report->head, sizeof report->head, x->raw_head, x->raw_head_length,
                       x->endpoint->secret);
    if (tr_slicer_mend(&x->slicer) != 0) report->out_of_memory = 1;
  }
  judge_answer(x, fault);
  size_t length, limit = x->slicer.envelope.limit;
  char *data = tr_buffer_take(&x->slicer.envelope, &length);
  tr_buffer_init(&report->envelope, limit);
  report->envelope.data = data;
  report->envelope.length = report->envelope.capacity = length;
}

static void on_ended(void *arg, int result) {
  struct tr_exchange *x = arg;
  struct tr_report *report = &x->report;
  int turn = tr_trust_turn(x->transfer.easy, &x->trust, &result, x->curl_error);
  if (turn > 0) {
    x->connecting = x->transfer.begun;
    if (tr_reactor_start(x->reactor, &x->transfer) == 0) return;
  }
  if (turn != 0) result = CURLE_OUT_OF_MEMORY;
  tr_timer_stop(&x->watch);
  judge_transfer(x, (CURLcode)result);
  settle(x, result == CURLE_OK);
  if (report->status / 100 == 3 && report->outcome == TR_OUTCOME_ANSWER)
    tr_verdict_of_redirect(&report->error, report->status, report->headers.location);
  report->error.status = report->status;
  report->error.retry_after = report->headers.retry_after;
  memcpy(report->error.ray, report->headers.ray, sizeof report->error.ray);
  x->sink.ended(x->sink.arg);
}

void tr_exchange_resume(struct tr_exchange *x) {
  if (!x->is_paused) return;
  x->is_paused = 0;
  tr_reactor_resume(&x->transfer);
}

static void stop_transfer(struct tr_exchange *x) {
  tr_timer_stop(&x->watch);
  tr_reactor_stop(&x->transfer);
}

/* The time to connect does not run while it waits for its turn. */
static double next_deadline(const struct tr_exchange *x, double now) {
  double begun = x->connecting > 0 ? x->connecting : x->transfer.begun;
  double end = x->started + x->allowed.seconds;
  double connect = (begun > 0 ? begun : now) + x->endpoint->connect_timeout;
  return is_connected(x) || end < connect ? end : connect;
}

/* Times are kept here, since libcurl does not look at the clock of a transfer that waits for
** another one's connection, and starts it anew when that fails. */
static void on_watch(void *arg) {
  struct tr_exchange *x = arg;
  double now = tr_clock(), next = next_deadline(x, now);
  if (now < next) {
    tr_timer_set(x->reactor, &x->watch, next);
    return;
  }
  stop_transfer(x);
  on_ended(x, CURLE_OPERATION_TIMEDOUT);
}

static void start_watch(struct tr_exchange *x) {
  x->watch.fire = on_watch;
  x->watch.arg = x;
  tr_timer_set(x->reactor, &x->watch, next_deadline(x, x->started));
}

void tr_exchange_abandon(struct tr_exchange *x) {
  stop_transfer(x);
  x->report.outcome = TR_OUTCOME_CONNECTION;
  settle(x, 0);
}

struct tr_report *tr_exchange_report(struct tr_exchange *x) {
  return &x->report;
}

/* ---- the beginning ---- */

void tr_exchange_free(struct tr_exchange *x) {
  if (!x) return;
  stop_transfer(x);
  if (x->transfer.easy) curl_easy_cleanup(x->transfer.easy);
  /* Header lines hold the credentials. */
  for (struct curl_slist *line = x->headers; line; line = line->next)
    tr_wipe(line->data, strlen(line->data));
  curl_slist_free_all(x->headers);
  tr_wipe(x->raw_head, x->raw_head_length); /* where a service may have repeated them */
  tr_slicer_cleanup(&x->slicer);
  tr_report_cleanup(&x->report);
  tr_free(x);
}

static int make_headers(struct tr_exchange *x) {
  for (char **line = x->endpoint->headers; *line; line++) {
    struct curl_slist *longer = curl_slist_append(x->headers, *line);
    if (!longer) return -1;
    x->headers = longer;
  }
  return 0;
}

/* What decides with whom it may share a connection, as a number (FNV-1a): who by chance has the
** same only begins a little later. */
static unsigned long host_key(const struct tr_endpoint *endpoint) {
  const char *texts[] = {endpoint->url, endpoint->proxy, endpoint->ca_file};
  uint64_t key = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    int slashes = 0;
    for (const char *at = texts[i] ? texts[i] : ""; *at && (i > 0 || slashes < 3); at++) {
      slashes += *at == '/';
      key = (key ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    key = (key ^ 0xff) * UINT64_C(1099511628211);
  }
  return (unsigned long)key;
}

/* What a libcurl may not know, and a call goes well without. */
static void set_wishes(const struct tr_exchange *x) {
  CURL *easy = x->transfer.easy;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long)(x->endpoint->connect_timeout * 1e3) + GRACE_MS);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BYTES);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* A resolver that is stuck must not hold up the end of a call. */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  /* Before 8.12 the cache of TLS sessions goes with the handle, of no use to the next, and short of
  ** memory it frees a session's name twice. */
  if (tr_libcurl_about()->version < 0x080c00)
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* Programs that the script runs do not inherit the connection. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd >= 0) outlive_words(arg); /* else the words may be about just that */
  return fd;
}

/* 0, or -1: no memory. What secrets depend on must not be left at a default. */
static int set_options(struct tr_exchange *x) {
  CURL *easy = x->transfer.easy;
  const struct tr_endpoint *endpoint = x->endpoint;
  int failed = tr_trust_set(easy, endpoint->ca_file, &x->trust);
  failed |= curl_easy_setopt(easy, CURLOPT_URL, endpoint->url) != CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
  failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
  failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) !=
            CURLE_OK;
#endif
  if (endpoint->proxy) failed |= curl_easy_setopt(easy, CURLOPT_PROXY, endpoint->proxy) != CURLE_OK;
  if (tr_url_is_direct(endpoint->url, endpoint->insecure))
    failed |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, endpoint->user_agent) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK;
  failed |=
      curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, x) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->curl_error) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, x) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, x) != CURLE_OK;
  set_wishes(x);
  return failed ? -1 : 0;
}

struct tr_exchange *tr_exchange_new(const struct tr_endpoint *endpoint, struct tr_sink sink) {
  struct tr_exchange *x = tr_calloc(sizeof *x);
  if (!x) return NULL;
  x->endpoint = endpoint;
  x->sink = sink;
  x->transfer.ended = on_ended;
  x->transfer.arg = x;
  x->transfer.host = host_key(x->endpoint);
  tr_headers_init(&x->report.headers);
  tr_error_clear(&x->report.error);
  tr_slicer_init(&x->slicer, endpoint->max_bytes);
  tr_lock(TR_LOCK_LIBCURL);
  x->transfer.easy = curl_easy_init();
  tr_unlock(TR_LOCK_LIBCURL);
  if (!x->transfer.easy || make_headers(x) != 0 || set_options(x) != 0) {
    tr_exchange_free(x);
    return NULL;
  }
  return x;
}

int tr_exchange_start(struct tr_exchange *x, struct tr_reactor *r, const char *body, size_t length,
                      struct tr_allowance allowed) {
  CURL *easy = x->transfer.easy;
  x->started = tr_clock();
  x->allowed = allowed;
  int failed = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                                (long)(allowed.seconds * 1e3) + GRACE_MS) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) != CURLE_OK;
  if (failed) return -1;
  x->reactor = r;
  start_watch(x);
  return tr_reactor_start(r, &x->transfer);
}
