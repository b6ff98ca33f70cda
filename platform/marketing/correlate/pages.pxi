# Pages (TS 48.008 3.2.1.19) and their answers, by IMSI: a ring in order of time, and a map to find a subscriber's.
# A page again while one waits is the same page, repeated; with no PAGING RESPONSE by `page_us` after the last one,
# which stands for T3113 of the network (TS 44.018 11.1.2), nobody was there.


cdef inline Page *page_of(Core *co, uint32_t number) noexcept nogil:
    return co.pages + (number & (co.pages_size - 1))


cdef bint pages_grow(Core *co) noexcept nogil:
    cdef uint32_t size = co.pages_size * 2 if co.pages_size else 64, number
    cdef Page *grown
    if size > MAX_PAGES:
        return False
    grown = <Page *>malloc(<size_t>size * sizeof(Page))
    if grown == NULL:
        return False
    number = co.pages_head
    while number != co.pages_tail:
        grown[number & (size - 1)] = page_of(co, number)[0]
        number += 1
    free(co.pages)
    co.pages = grown
    co.pages_size = size
    return True


cdef void forget_page(Core *co, uint32_t number) noexcept nogil:
    page_of(co, number).live = 0
    map_remove_pair(&co.paged, page_of(co, number).key, number)


cdef Page *new_page(Core *co, uint64_t key, int64_t until_us) noexcept nogil:
    """At the end of the ring, in the place of what was there of this subscriber; NULL without memory."""
    cdef Page *page
    cdef Slot *slot
    if co.pages_tail - co.pages_head == co.pages_size and not pages_grow(co):
        if page_of(co, co.pages_head).live:
            forget_page(co, co.pages_head)
            co.counts[C_PAGES_DROPPED] += 1
        co.pages_head += 1
    if co.paged.count * 2 >= co.paged.mask and map_grow(&co.paged) < 0 and co.paged.count >= co.paged.mask:
        return NULL
    slot = co.paged.slots + map_place(&co.paged, key)
    if slot.key:
        page_of(co, <uint32_t>slot.value).live = 0
    else:
        co.paged.count += 1
        slot.key = key
    slot.value = co.pages_tail
    page = page_of(co, co.pages_tail)
    co.pages_tail += 1
    page.key = key
    page.until_us = until_us
    page.received_ns = co.received_ns
    page.answered = 0
    page.live = 1
    # Of the first one; what stands before it is dead or earlier.
    if until_us + co.hold_us < co.pages_next_us:
        co.pages_next_us = until_us + co.hold_us
    return page


cdef void unanswered(Core *co, const Page *page) noexcept nogil:
    """The behaviour of nobody being there."""
    cdef Behaviour *row
    if co.out_count == co.out_size and not more_room(co):
        return
    row = co.out + co.out_count
    co.out_count += 1
    memset(row, 0, sizeof(Behaviour))
    row.t_us = page.until_us
    row.imsi = page.key - 1
    row.kind = K_PAGING_NO_RESPONSE
    row.lac = page.lac
    row.corr = page.corr
    row.received_ns = page.received_ns


cdef void paged(Core *co, const Row *r, uint32_t lac, int64_t t) noexcept nogil:
    """PAGING."""
    cdef uint64_t number = map_find(&co.paged, r.imsi + 1, ABSENT)
    cdef Page *page
    if number != ABSENT:
        page = page_of(co, <uint32_t>number)
        if page.answered:
            # Where times are those of arrival, the page has the later one.
            if t <= page.until_us + co.hold_us:
                return
        elif t > page.until_us:
            unanswered(co, page)
        elif t + co.page_us < page.until_us:
            # It has been overtaken by its own repetition.
            return
    page = new_page(co, r.imsi + 1, t + co.page_us)
    if page != NULL:
        page.lac = <uint16_t>lac
        page.corr = r.corr


cdef void page_answered(Core *co, uint64_t imsi, int64_t t) noexcept nogil:
    """PAGING RESPONSE of a subscriber."""
    cdef uint64_t number = map_find(&co.paged, imsi + 1, ABSENT)
    cdef Page *page
    if number != ABSENT:
        page = page_of(co, <uint32_t>number)
        if not page.answered and t > page.until_us:
            unanswered(co, page)
        # A copy of the page may still come.
        page.answered = 1
        page.until_us = t
    elif co.hold_us:
        # It has overtaken its page.
        page = new_page(co, imsi + 1, t)
        if page != NULL:
            page.answered = 1


cdef void expire_pages(Core *co, int64_t now_us) noexcept nogil:
    """Pages whose time is over, and answers that have waited for their pages long enough."""
    cdef Page *page
    co.pages_next_us = NEVER
    while co.pages_head != co.pages_tail:
        page = page_of(co, co.pages_head)
        if page.live:
            if page.until_us + co.hold_us >= now_us:
                co.pages_next_us = page.until_us + co.hold_us
                break
            if not page.answered:
                unanswered(co, page)
            forget_page(co, co.pages_head)
        co.pages_head += 1


cdef void forget_pages(Core *co) noexcept nogil:
    """The stream has ended: whether they would have been answered nobody knows."""
    while co.pages_head != co.pages_tail:
        if page_of(co, co.pages_head).live:
            forget_page(co, co.pages_head)
        co.pages_head += 1
    co.pages_next_us = NEVER
