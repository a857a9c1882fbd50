#include "huge_page.h"

#include "share.h"

#include <string.h>

static void charge(const struct huge_page *page, struct ledger_site *sites, uint64_t site_count,
                   struct line_table *lines)
{
    struct share_payer payer = share_payer(page->spare_bytes, page->live_bytes);
    if (page->spare_bytes == 0)
        return;
    if (page->live_bytes == 0) {
        line_add(lines, page->spare_line, page->spare_bytes);
        return;
    }
    for (unsigned i = 0; i < HUGE_PAGE_SLOTS; i++) {
        uint32_t site = page->slots[i].site < site_count ? page->slots[i].site : 0;
        if (page->slots[i].live_bytes > 0)
            sites[site].huge_bytes += share_pay(&payer, page->slots[i].live_bytes);
    }
}

void huge_page_enter(struct huge_page *page, uint64_t address, struct ledger_site *sites,
                     uint64_t site_count, struct line_table *lines)
{
    uint64_t start = address & -(uint64_t)HUGE_PAGE_BYTES;
    if (page->start == start)
        return;
    charge(page, sites, site_count, lines);
    page->start = start;
    page->live_bytes = page->spare_bytes = 0;
    memset(page->slots, 0, sizeof(page->slots));
}

void huge_page_live(struct huge_page *page, uint32_t site, uint64_t bytes)
{
    unsigned first = (site * 0x9e3779b1u) / (UINT32_MAX / HUGE_PAGE_SLOTS + 1), at = first;
    for (unsigned i = 0; i < HUGE_PAGE_PROBES; i++) {
        at = (first + i) % HUGE_PAGE_SLOTS;
        if (page->slots[at].site == site || page->slots[at].live_bytes == 0)
            break;
    }
    if (page->slots[at].live_bytes == 0)
        page->slots[at].site = site;
    page->slots[at].live_bytes += (uint32_t)bytes;
    page->live_bytes += bytes;
}

void huge_page_spare(struct huge_page *page, uint32_t line, uint64_t bytes,
                     struct line_table *lines)
{
    if (page->spare_line != line && page->spare_bytes > 0) { /* two kinds in one: as they are */
        line_add(lines, line, bytes);
        return;
    }
    page->spare_line = line;
    page->spare_bytes += bytes;
}
