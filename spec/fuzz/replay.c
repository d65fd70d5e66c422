/* replay: runs the files named as arguments through a target, each in a process of its own, and
** says in TAP which went well. What the fuzzers found once is tested thereby without them, by any
** compiler. Knows no target. */
#include "fuzz.h"

#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 60 /* of one input, which takes milliseconds: a hang is a failure */

static void run(const char *name) {
  FILE *file = fopen(name, "rb");
  FUZZ_CHECK(file);
  uint8_t *data = NULL;
  size_t size = 0, room = 0;
  while (!feof(file) && !ferror(file)) {
    if (size == room) {
      room = room ? 2 * room : 4096;
      uint8_t *larger = realloc(data, room);
      FUZZ_CHECK(larger);
      data = larger;
    }
    size += fread(data + size, 1, room - size, file);
  }
  FUZZ_CHECK(!ferror(file));
  (void)fclose(file);
  /* In a block that ends where the input ends. */
  uint8_t *exact = (uint8_t *)fuzz_copy((const char *)data, size);
  free(data);
  (void)LLVMFuzzerTestOneInput(exact, size);
  free(exact);
}

int main(int argc, char **argv) {
  int failed = 0;
  (void)LLVMFuzzerInitialize(&argc, &argv);
  printf("1..%d\n", argc - 1);
  for (int i = 1; i < argc; i++) {
    (void)fflush(stdout);
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
      (void)alarm(SECONDS_MAX);
      run(argv[i]);
      return 0;
    }
    if (child > 0) (void)waitpid(child, &status, 0);
    if (status != 0) failed = 1;
    printf("%sok %d - %s\n", status ? "not " : "", i, argv[i]);
  }
  return failed;
}
