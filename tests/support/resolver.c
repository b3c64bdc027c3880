/* The system's resolver, but for the names that a file tells of: one line each, "name what". What is addresses with
   commas between them, "fails", or "hangs" until the file says something else. Who is asked for is added to a second
   file, a line for each look-up. Both are named by the environment. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 256, PAUSE_US = 10000 };

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int told(const char *name, char *what) {
    const char *path = getenv("TOLD_NAMES");
    FILE *file = path ? fopen(path, "re") : NULL;
    char known[LONGEST];
    int found = 0;
    while (file && !found && fscanf(file, "%255s %255s", known, what) == 2)
        found = strcmp(known, name) == 0;
    if (file)
        fclose(file);
    return found;
}

static void note(const char *name) {
    const char *path = getenv("ASKED_NAMES");
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    look_up *real = (look_up *)dlsym(RTLD_NEXT, "getaddrinfo");
    char what[LONGEST];
    if (!name || !told(name, what))
        return real(name, service, hints, found);
    note(name);
    while (strcmp(what, "hangs") == 0) {
        usleep(PAUSE_US);
        if (!told(name, what))
            return EAI_NONAME;
    }
    if (strcmp(what, "fails") == 0)
        return EAI_AGAIN;
    *found = NULL;
    char *rest = what, *address;
    while ((address = strsep(&rest, ",")) != NULL) {
        while (*found)
            found = &(*found)->ai_next;
        int failed = real(address, service, hints, found);
        if (failed)
            return failed;
    }
    return 0;
}
