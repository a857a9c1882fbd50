/*
 * render_go.h - what a profile says of Go's runtime, for a person.
 *
 * Owns: nothing. Context: cli. Not here: the facts (go_facts.h), the usual report (render.h).
 */
#ifndef HEAPDIFF_CLI_RENDER_GO_H
#define HEAPDIFF_CLI_RENDER_GO_H

#include "cli/go/go_facts.h"

#include "number_text.h"
#include "page.h"
#include "cli/profile/profile.h"

/* Lines for the head of any report: what Go's profile says, as of when, and what its heap is. Nothing for other profiles. */
void render_go_head(const struct page *page, const struct profile *profile,
                    const struct number_style *style);

/* The same of facts alone, as seen at now_ns. */
void render_go_facts(const struct page *page, const struct go_facts *facts, int64_t now_ns,
                     const struct number_style *style);

/* All of `heapdiff attach`. */
void render_go(const struct page *page, const struct profile *profile,
               const struct number_style *style);

#endif
