/* exchange: one HTTP exchange through libcurl; see exchange.h. */
#include "exchange.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "alloc.h"
#include "locks.h"
#include "url.h"

#if LIBCURL_VERSION_NUM < 0x074400
#error "libcurl 7.68 or newer is needed"
#endif

#define RECEIVE_BYTES (256L * 1024) /* libcurl's buffer: fewer, longer callbacks for a big answer */
#define GRACE_MS 1000L              /* how much later than ours libcurl's own timeouts come */

struct tr_exchange {
  const struct tr_endpoint *endpoint;
  struct tr_sink sink;
  struct tr_transfer transfer;
  struct tr_reactor *reactor; /* from its start */
  struct tr_timer watch;
  struct curl_slist *headers;
  struct tr_slicer slicer;
  struct tr_report report;
  double started, allowed;
  size_t header_bytes;
  char raw_head[TR_HEAD_MAX];
  size_t raw_head_length;
  char location[128];
  int is_paused;
  int too_many_bytes;
  int has_retry_after_ms; /* it goes before retry-after, whichever comes first */
  int deaf;               /* what comes is counted but no longer looked at */
  char curl_error[CURL_ERROR_SIZE];
};

void tr_report_cleanup(struct tr_report *report) {
  tr_buffer_cleanup(&report->envelope);
}

/* ---- taking in headers ---- */

static int header_value(const char *line, size_t length, const char *name, char *out, size_t size) {
  size_t name_length = strlen(name);
  if (length <= name_length || line[name_length] != ':' ||
      strncasecmp(line, name, name_length) != 0)
    return 0;
  line += name_length + 1;
  length -= name_length + 1;
  while (length && (*line == ' ' || *line == '\t')) {
    line++;
    length--;
  }
  while (length &&
         (line[length - 1] == '\r' || line[length - 1] == '\n' || line[length - 1] == ' '))
    length--;
  if (length >= size) length = size - 1;
  memcpy(out, line, length);
  out[length] = '\0';
  return 1;
}

/* Seconds, or a date; below 0: neither. */
static double retry_after(const char *value) {
  double seconds = tr_retry_seconds(value, 1);
  if (seconds >= 0) return seconds;
  time_t then = curl_getdate(value, NULL);
  if (then == (time_t)-1) return -1;
  struct timespec now; /* time() would be up to a tick behind, and a whole second with it */
  clock_gettime(CLOCK_REALTIME, &now);
  double left = difftime(then, now.tv_sec) - (double)now.tv_nsec / 1e9;
  return left > 0 ? left : 0;
}

static void take_retry_after_ms(struct tr_exchange *x, const char *value) {
  double seconds = tr_retry_seconds(value, 0.001);
  if (seconds < 0) return;
  x->report.retry_after = seconds;
  x->has_retry_after_ms = 1;
}

/* What the server said, safe to show: the secret is blotted out before anything is cut off. */
static void take_excerpt(const struct tr_exchange *x, char *out, size_t size, char *bytes,
                         size_t length) {
  tr_redact(bytes, length, x->endpoint->secret);
  tr_excerpt(out, size, bytes, length);
}

/* A new status line begins a new answer (after 100 Continue, say): nothing is left of the one
** before. */
static void forget_headers(struct tr_exchange *x) {
  x->report.ray[0] = x->report.ratelimit[0] = x->location[0] = '\0';
  x->report.retry_after = x->report.should_retry = -1;
  x->has_retry_after_ms = 0;
}

static size_t on_header(char *line, size_t one, size_t length, void *arg) {
  struct tr_exchange *x = arg;
  struct tr_report *report = &x->report;
  char value[128];
  (void)one;
  x->header_bytes += length;
  if (x->header_bytes > TR_HEADERS_MAX) return 0;
  if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
    forget_headers(x);
  else if (header_value(line, length, "cf-ray", value, sizeof value))
    take_excerpt(x, report->ray, sizeof report->ray, value, strlen(value));
  else if (header_value(line, length, "ratelimit", value, sizeof value))
    memcpy(report->ratelimit, value, sizeof value);
  else if (header_value(line, length, "retry-after-ms", value, sizeof value))
    take_retry_after_ms(x, value);
  else if (!x->has_retry_after_ms && header_value(line, length, "retry-after", value, sizeof value))
    report->retry_after = retry_after(value);
  else if (header_value(line, length, "x-should-retry", value, sizeof value))
    report->should_retry = strcmp(value, "true") == 0 ? 1 : strcmp(value, "false") == 0 ? 0 : -1;
  else if (header_value(line, length, "location", value, sizeof value))
    take_excerpt(x, x->location, sizeof x->location, value, strcspn(value, "?#"));
  return length;
}

/* ---- taking in the body ---- */

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

static const char *fault_text(enum tr_slicer_fault fault) {
  switch (fault) {
  case TR_SLICER_DEPTH:
    return "is nested too deeply";
  case TR_SLICER_TRAILING:
    return "goes on after the end of the JSON text";
  case TR_SLICER_SHORT:
    return "ends early";
  case TR_SLICER_FULL:
    return "is too large in one of its parts";
  default:
    return "is not JSON";
  }
}

/* libcurl's own words, unless they quote a proxy's URL together with its user and password. */
static const char *curl_words(const struct tr_exchange *x, CURLcode result) {
  int is_safe = *x->curl_error && !strchr(x->curl_error, '@');
  return is_safe ? x->curl_error : curl_easy_strerror(result);
}

/* True if a proxy took the connection and would not let it through. */
static int classify_proxy(struct tr_exchange *x) {
  long status = 0;
  curl_easy_getinfo(x->transfer.easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (status < 300) return 0;
  x->report.outcome = status < 500 ? TR_OUTCOME_REFUSED : TR_OUTCOME_CONNECTION;
  tr_error_set(&x->report.error, TR_CONNECTION,
               "the proxy refused with HTTP %ld; check proxy or https_proxy, and its user name",
               status);
  return 1;
}

static int is_connected(const struct tr_exchange *x) {
  curl_off_t ready = 0;
  curl_easy_getinfo(x->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  return ready > 0;
}

static void classify(struct tr_exchange *x, CURLcode result) {
  struct tr_report *report = &x->report;
  struct tr_error *error = &report->error;
  const char *what = curl_words(x, result);
  if (result != CURLE_OK && result != CURLE_OPERATION_TIMEDOUT && !is_connected(x) &&
      classify_proxy(x))
    return;
  switch (result) {
  case CURLE_OK:
    report->outcome = TR_OUTCOME_ANSWER;
    return;
  case CURLE_OPERATION_TIMEDOUT:
    if (!is_connected(x) && x->endpoint->connect_timeout < x->allowed) {
      report->outcome = TR_OUTCOME_CONNECTION;
      tr_error_set(error, TR_CONNECTION,
                   "no connection within %.3g s; check the network, or raise connect_timeout",
                   x->endpoint->connect_timeout);
      return;
    }
    report->outcome = TR_OUTCOME_TIMEOUT;
    tr_error_set(
        error, TR_TIMEOUT,
        "no complete answer within %.3g s; raise timeout, or lower max_ttl, packets_per_ttl or "
        "wait_time",
        x->allowed);
    return;
  case CURLE_WRITE_ERROR: /* ours: settle says why */
    report->outcome = TR_OUTCOME_REFUSED;
    return;
  case CURLE_OUT_OF_MEMORY:
    report->outcome = TR_OUTCOME_REFUSED;
    /* libcurl says so of a header line beyond its bound, too, which is the server's doing. */
    if (is_connected(x) && report->bytes == 0)
      tr_error_set(
          error, TR_INVALID_RESPONSE,
          "the response cannot be read: a header is too long, or memory ran out; check base_url");
    else
      report->out_of_memory = 1;
    return;
  case CURLE_PEER_FAILED_VERIFICATION:
    report->outcome = TR_OUTCOME_REFUSED;
    tr_error_set(
        error, TR_CONNECTION,
        "the server's certificate is not trusted: %s; name its CA with ca_file if it is meant",
        what);
    return;
  case CURLE_SSL_CACERT_BADFILE:
    report->outcome = TR_OUTCOME_REFUSED;
    tr_error_set(error, TR_CONNECTION, "the CA file cannot be used: %s; check ca_file", what);
    return;
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
    report->outcome = TR_OUTCOME_REFUSED;
    tr_error_set(error, TR_INVALID_RESPONSE, "the response cannot be read: %s; check base_url",
                 what);
    return;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    report->outcome = TR_OUTCOME_CONNECTION;
    tr_error_set(error, TR_CONNECTION, "%s; check the name and the resolver", what);
    return;
  case CURLE_SSL_CONNECT_ERROR:
    report->outcome = TR_OUTCOME_CONNECTION;
    tr_error_set(error, TR_CONNECTION,
                 "no TLS connection: %s; check the port of base_url, TLS 1.2 is the least", what);
    return;
  default:
    report->outcome = TR_OUTCOME_CONNECTION;
    tr_error_set(error, TR_CONNECTION, "%s", what);
    return;
  }
}

/* Words or a page can be a JSON value up to their first space, as far as the slicer looks. */
static int begins_with_bracket(const char *bytes, size_t length) {
  size_t at = 0;
  while (at < length && memchr(" \t\r\n", bytes[at], 4))
    at++;
  return at < length && (bytes[at] == '{' || bytes[at] == '[');
}

/* Why a 2xx answer cannot be taken. */
static void describe_text(struct tr_exchange *x, enum tr_slicer_fault fault) {
  struct tr_report *report = &x->report;
  char excerpt[96];
  report->outcome = TR_OUTCOME_REFUSED;
  if (fault == TR_SLICER_TRAILING && !begins_with_bracket(x->raw_head, x->raw_head_length))
    fault = TR_SLICER_SYNTAX;
  take_excerpt(x, excerpt, sizeof excerpt, x->raw_head, x->raw_head_length);
  if (x->raw_head_length == 0)
    tr_error_set(&report->error, TR_INVALID_RESPONSE,
                 "the response is empty; check base_url and proxy");
  else
    tr_error_set(&report->error, TR_INVALID_RESPONSE,
                 "the response %s (at byte %lu; it begins \"%s\"); check base_url and proxy",
                 fault_text(fault), (unsigned long)x->slicer.offset, excerpt);
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
    take_excerpt(x, report->head, sizeof report->head, x->raw_head, x->raw_head_length);
    if (tr_slicer_mend(&x->slicer) != 0) report->out_of_memory = 1;
  }
  if (x->header_bytes > TR_HEADERS_MAX) {
    report->outcome = TR_OUTCOME_REFUSED;
    tr_error_set(&report->error, TR_INVALID_RESPONSE,
                 "the response has more than %d bytes of headers; check base_url", TR_HEADERS_MAX);
  } else if (x->too_many_bytes && report->status / 100 != 2) {
    report->outcome = TR_OUTCOME_ANSWER; /* what it begins with says all that matters */
  } else if (x->too_many_bytes) {
    report->outcome = TR_OUTCOME_REFUSED;
    tr_error_set(&report->error, TR_INVALID_RESPONSE,
                 "the response is larger than max_response_bytes (%lu); raise it, or ask for fewer "
                 "colos",
                 (unsigned long)x->endpoint->max_bytes);
  } else if (fault != TR_SLICER_FINE && report->status / 100 == 2 &&
             report->outcome != TR_OUTCOME_CONNECTION && report->outcome != TR_OUTCOME_TIMEOUT) {
    describe_text(x, fault);
  }
  size_t length, limit = x->slicer.envelope.limit;
  char *data = tr_buffer_take(&x->slicer.envelope, &length);
  tr_buffer_init(&report->envelope, limit);
  report->envelope.data = data;
  report->envelope.length = report->envelope.capacity = length;
}

static void on_ended(void *arg, int result) {
  struct tr_exchange *x = arg;
  struct tr_report *report = &x->report;
  tr_timer_stop(&x->watch);
  classify(x, (CURLcode)result);
  settle(x, result == CURLE_OK);
  if (report->status / 100 == 3 && report->outcome == TR_OUTCOME_ANSWER)
    tr_error_set(
        &report->error, TR_INVALID_RESPONSE,
        "HTTP %d: redirected to \"%s\", which is not followed with credentials; check base_url",
        report->status, x->location);
  report->error.status = report->status;
  report->error.retry_after = report->retry_after;
  memcpy(report->error.ray, report->ray, sizeof report->ray);
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

/* Times are kept here, since libcurl does not look at the clock of a transfer that waits for
** another one's connection, and starts it anew when that fails. */
static void on_watch(void *arg) {
  struct tr_exchange *x = arg;
  double end = x->started + x->allowed;
  int is_late = !is_connected(x) && x->endpoint->connect_timeout < x->allowed;
  if (!is_late && tr_clock() < end) {
    tr_timer_set(x->reactor, &x->watch, end);
    return;
  }
  stop_transfer(x);
  on_ended(x, CURLE_OPERATION_TIMEDOUT);
}

static void start_watch(struct tr_exchange *x) {
  double connect = x->endpoint->connect_timeout;
  x->watch.fire = on_watch;
  x->watch.arg = x;
  tr_timer_set(x->reactor, &x->watch, x->started + (connect < x->allowed ? connect : x->allowed));
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

/* The store of CA certificates is parsed once per multi handle only while no CApath is set;
** Debian's default sets one, which costs 22 ms a connection. */
static int set_trust(const struct tr_exchange *x) {
  CURL *easy = x->transfer.easy;
  const char *file = x->endpoint->ca_file;
  const curl_version_info_data *about = curl_version_info(CURLVERSION_NOW);
  if (!file && about->age >= CURLVERSION_SEVENTH) file = about->cainfo;
  if (!file) return 0;
  curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  return curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK ? 0 : -1;
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
#if LIBCURL_VERSION_NUM >= 0x075700
  /* A resolver that is stuck must not hold up the end of a call. */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  /* Before 8.12 the cache of TLS sessions goes with the handle, of no use to the next, and short of
  ** memory it frees a session's name twice. */
  if (curl_version_info(CURLVERSION_NOW)->version_num < 0x080c00)
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* 0, or -1: no memory. What secrets depend on must not be left at a default. */
/* Programs that the script runs do not inherit the connection. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)arg;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int set_options(struct tr_exchange *x) {
  CURL *easy = x->transfer.easy;
  const struct tr_endpoint *endpoint = x->endpoint;
  int failed = set_trust(x);
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
  x->report.retry_after = x->report.should_retry = -1;
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
                      double seconds) {
  CURL *easy = x->transfer.easy;
  x->started = tr_clock();
  x->allowed = seconds;
  int failed =
      curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(seconds * 1e3) + GRACE_MS) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length) != CURLE_OK;
  failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) != CURLE_OK;
  if (failed) return -1;
  x->reactor = r;
  start_watch(x);
  return tr_reactor_start(r, &x->transfer);
}

/* libcurl writes to one place for all threads, and asks libraries that lock. */
void tr_exchange_version(char *out, size_t size) {
  tr_lock(TR_LOCK_LIBCURL);
  (void)snprintf(out, size, "%s", curl_version());
  tr_unlock(TR_LOCK_LIBCURL);
}
