# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Shortest routes between all cells: Dijkstra from every cell over the neighbour lists, in whole metres.

A route is the shortest in metres and, among those, of the fewest cells; where several first steps are as
good, the lowest cell is taken. The result therefore depends on the map alone, not on the order of work.
"""

from libc.stdint cimport int16_t, int32_t, int64_t
from libc.stdlib cimport free, malloc

import numpy as np

cdef enum:
    HOP = 1
    METRE = 1 << 16     # the key of a route: metres * METRE + hops

cdef int64_t FAR = <int64_t>1 << 62

cdef struct Entry:
    int64_t key
    int32_t cell


cdef inline void sift_up(Entry *heap, int64_t at) noexcept nogil:
    cdef Entry moved = heap[at]
    cdef int64_t parent
    while at > 0:
        parent = (at - 1) >> 1
        if heap[parent].key <= moved.key:
            break
        heap[at] = heap[parent]
        at = parent
    heap[at] = moved


cdef inline void sift_down(Entry *heap, int64_t held) noexcept nogil:
    cdef Entry moved = heap[0]
    cdef int64_t at = 0, child
    while True:
        child = 2 * at + 1
        if child >= held:
            break
        if child + 1 < held and heap[child + 1].key < heap[child].key:
            child += 1
        if heap[child].key >= moved.key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = moved


cdef int64_t spread(int32_t source, const int32_t *start, const int32_t *cells, const int32_t *metres,
                    int64_t *best, Entry *heap) noexcept nogil:
    """Keys of the shortest routes from a cell into `best` (all FAR before); how many cells were reached."""
    cdef int64_t held = 1, reached = 0, key
    cdef int32_t at, edge, other
    best[source] = 0
    heap[0].key, heap[0].cell = 0, source
    while held:
        key, at = heap[0].key, heap[0].cell
        held -= 1
        heap[0] = heap[held]
        if held:
            sift_down(heap, held)
        if key != best[at]:
            continue
        reached += 1
        for edge in range(start[at], start[at + 1]):
            other = cells[edge]
            key = best[at] + <int64_t>metres[edge] * METRE + HOP
            if key < best[other]:
                best[other] = key
                heap[held].key, heap[held].cell = key, other
                sift_up(heap, held)
                held += 1
    return reached


def all_routes(neighbour_start, neighbour_cells, neighbour_m):
    """Shortest routes between all pairs of n cells, over symmetric neighbour lists of positive lengths.

    Cell c's neighbours are `neighbour_cells[neighbour_start[c] : neighbour_start[c + 1]]`, ascending;
    `neighbour_m` has their distances. Returns metres int32, first cell of the route int16 (the cell itself
    where both ends are one) and number of steps int16, each of shape (n, n). Raises ValueError where a cell
    is out of reach.
    """
    cdef const int32_t[::1] start = np.ascontiguousarray(neighbour_start, dtype=np.int32)
    cdef const int32_t[::1] cells = np.ascontiguousarray(neighbour_cells, dtype=np.int32)
    cdef const int32_t[::1] metres = np.ascontiguousarray(neighbour_m, dtype=np.int32)
    cdef int32_t n = <int32_t>(len(neighbour_start) - 1)
    cdef int32_t source = 0, cell, edge
    cdef int64_t reached = n, key
    if n > 32767 or len(cells) == 0 or len(cells) != len(metres):
        raise ValueError("1..32767 cells with neighbours, and a length for every neighbour")
    distance_array = np.empty((n, n), dtype=np.int32)
    next_array = np.empty((n, n), dtype=np.int16)
    hops_array = np.empty((n, n), dtype=np.int16)
    cdef int32_t[:, ::1] distance = distance_array
    cdef int16_t[:, ::1] following = next_array
    cdef int16_t[:, ::1] hops = hops_array
    cdef int64_t *best = <int64_t *>malloc(n * sizeof(int64_t))
    cdef Entry *heap = <Entry *>malloc((len(cells) + 1) * sizeof(Entry))
    if best == NULL or heap == NULL:
        free(best)
        free(heap)
        raise MemoryError
    with nogil:
        for source in range(n):
            for cell in range(n):
                best[cell] = FAR
            reached = spread(source, &start[0], &cells[0], &metres[0], best, heap)
            if reached < n:
                break
            for cell in range(n):
                key = best[cell]
                distance[source, cell] = <int32_t>(key >> 16)
                hops[source, cell] = <int16_t>(key & 0xFFFF)
                following[cell, source] = <int16_t>source
                # The first neighbour, in order, through which the route home is as short as it can be.
                for edge in range(start[cell], start[cell + 1]):
                    if best[cells[edge]] + <int64_t>metres[edge] * METRE + HOP == key:
                        following[cell, source] = <int16_t>cells[edge]
                        break
    free(best)
    free(heap)
    if reached < n:
        raise ValueError(f"only {reached} of {n} cells are in reach of cell {source}")
    return distance_array, next_array, hops_array
