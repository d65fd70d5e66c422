/* verdict: what is said of an exchange that did not go well; see verdict.h. */
#include "verdict.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "headers.h"

#define TOO_LARGE 100 /* CURLE_TOO_LARGE, which headers before 8.6 do not know */

/* libcurl's own words, unless they quote a proxy's URL together with its user and password. */
static const char *safe_words(const struct tr_ending *ending) {
  int is_safe = *ending->words && !strchr(ending->words, '@');
  return is_safe ? ending->words : curl_easy_strerror((CURLcode)ending->result);
}

static enum tr_outcome of_timeout(const struct tr_ending *ending, struct tr_error *error) {
  if (!ending->is_connected && ending->connect_timeout < ending->timeout) {
    tr_error_set(error, TR_CONNECTION,
                 "no connection within %.6g s; check the network, or raise connect_timeout",
                 ending->connect_timeout);
    return TR_OUTCOME_CONNECTION;
  }
  tr_error_set(
      error, TR_TIMEOUT,
      "no complete answer within %.6g s; raise %s, or lower max_ttl, packets_per_ttl or wait_time",
      ending->option, ending->is_try ? "try_timeout" : "timeout");
  return TR_OUTCOME_TIMEOUT;
}

/* A proxy took the connection and would not let it through. */
static enum tr_outcome of_proxy(int status, struct tr_error *error) {
  tr_error_set(error, TR_CONNECTION,
               "the proxy refused with HTTP %d; check proxy or https_proxy, and its user name",
               status);
  return status < 500 ? TR_OUTCOME_REFUSED : TR_OUTCOME_CONNECTION;
}

/* There were no watches left, or no memory for one. */
static enum tr_outcome of_system(int number, struct tr_error *error, int *is_short) {
  *is_short = number == ENOMEM;
  if (*is_short) return TR_OUTCOME_REFUSED;
  tr_error_set(error, TR_CONNECTION, "the connection cannot be waited for: %s", strerror(number));
  return TR_OUTCOME_CONNECTION;
}

/* libcurl ran out of memory, or met more than it keeps: of the body while it was to wait with it, or
** of a header. Both are the server's doing. Before 8.6 it says of all of them that memory ran out. */
static enum tr_outcome of_excess(const struct tr_ending *ending, struct tr_error *error,
                                 int *is_short) {
  if (ending->is_paused)
    tr_error_set(error, TR_INVALID_RESPONSE,
                 "the response holds more in one go than is taken in, or memory ran out; check "
                 "base_url, or ask for fewer colos");
  else if (ending->result == TOO_LARGE || (ending->is_connected && ending->bytes == 0))
    tr_error_set(
        error, TR_INVALID_RESPONSE,
        "the response cannot be read: a header is too long, or memory ran out; check base_url");
  else
    *is_short = 1;
  return TR_OUTCOME_REFUSED;
}

enum tr_outcome tr_verdict_of_transfer(const struct tr_ending *ending, struct tr_error *error,
                                       int *is_short) {
  const char *words = safe_words(ending);
  if (ending->result == CURLE_OK) return TR_OUTCOME_ANSWER;
  if (ending->system_error) return of_system(ending->system_error, error, is_short);
  if (ending->result == CURLE_OPERATION_TIMEDOUT) return of_timeout(ending, error);
  if (!ending->is_connected && ending->proxy_status >= 300)
    return of_proxy(ending->proxy_status, error);
  switch (ending->result) {
  case CURLE_WRITE_ERROR:
    return TR_OUTCOME_REFUSED;
  case CURLE_OUT_OF_MEMORY:
  case TOO_LARGE:
    return of_excess(ending, error, is_short);
  case CURLE_PEER_FAILED_VERIFICATION:
    tr_error_set(
        error, TR_CONNECTION,
        "the server's certificate is not trusted: %s; name its CA with ca_file if it is meant",
        words);
    return TR_OUTCOME_REFUSED;
  case CURLE_SSL_CACERT_BADFILE:
    tr_error_set(error, TR_CONNECTION, "the CA file cannot be used: %s; check ca_file", words);
    return TR_OUTCOME_REFUSED;
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
    tr_error_set(error, TR_INVALID_RESPONSE, "the response cannot be read: %s; check base_url",
                 words);
    return TR_OUTCOME_REFUSED;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    tr_error_set(error, TR_CONNECTION, "%s; check the name and the resolver", words);
    return TR_OUTCOME_CONNECTION;
  case CURLE_SSL_CONNECT_ERROR:
    tr_error_set(error, TR_CONNECTION,
                 "no TLS connection: %s; check the port of base_url, TLS 1.2 is the least", words);
    return TR_OUTCOME_CONNECTION;
  default:
    tr_error_set(error, TR_CONNECTION, "%s; check base_url, proxy and the network", words);
    return TR_OUTCOME_CONNECTION;
  }
}

void tr_verdict_of_headers(struct tr_error *error) {
  tr_error_set(error, TR_INVALID_RESPONSE,
               "the response has more than %d bytes of headers; check base_url", TR_HEADERS_MAX);
}

void tr_verdict_of_size(struct tr_error *error, size_t max_bytes) {
  tr_error_set(error, TR_INVALID_RESPONSE,
               "the response is larger than max_response_bytes (%lu); raise it, or ask for fewer "
               "colos",
               (unsigned long)max_bytes);
}

void tr_verdict_of_redirect(struct tr_error *error, int status, const char *location) {
  tr_error_set(
      error, TR_INVALID_RESPONSE,
      "HTTP %d: redirected to \"%s\", which is not followed with credentials; check base_url",
      status, location);
}

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

/* Words or a page can be a JSON value up to their first space, as far as the slicer looks. */
static int begins_with_bracket(const char *bytes, size_t length) {
  size_t at = 0;
  while (at < length && memchr(" \t\r\n", bytes[at], 4))
    at++;
  return at < length && (bytes[at] == '{' || bytes[at] == '[');
}

void tr_verdict_of_text(struct tr_error *error, enum tr_slicer_fault fault, size_t offset,
                        const char *head, size_t length) {
  char excerpt[96];
  if (length == 0) {
    tr_error_set(error, TR_INVALID_RESPONSE, "the response is empty; check base_url and proxy");
    return;
  }
  if (fault == TR_SLICER_TRAILING && !begins_with_bracket(head, length)) fault = TR_SLICER_SYNTAX;
  tr_excerpt(excerpt, sizeof excerpt, head, length);
  tr_error_set(error, TR_INVALID_RESPONSE,
               "the response %s (at byte %lu; it begins \"%s\"); check base_url and proxy",
               fault_text(fault), (unsigned long)offset, excerpt);
}
