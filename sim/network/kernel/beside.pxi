# Deliveries woven in beside a schedule that was drawn before.

cdef class Delivery:
    """A short message to be delivered beside a schedule: planned first, begun when its gap is found."""

    cdef Network net
    cdef Leg leg
    cdef Shape shape
    cdef Facts facts
    cdef uint32_t words[4]
    cdef uint32_t sub
    cdef uint8_t tpdu[TPDU_MOST]

    def __init__(self, Network net, uint32_t sub, int64_t t_us, originator, bytes body, bytes stamp, *,
                 bint header=False, bint more=False):
        self.net, self.sub = net, net._known(sub)
        chance(net, sub, SMSC_DRAWN, self.words)
        self.shape.kind = MT_SMS
        self.shape.options = <uint8_t>security(self.words)
        no_facts(net, sub, &self.facts)
        cdef Number peer = number_from(originator.encode())
        self.facts.tpdu_length = deliver_tpdu(self.tpdu, &peer, stamp_octets(stamp), body, header, more)
        self.facts.tpdu = self.tpdu
        self.shape.tpdu_length = <uint8_t>self.facts.tpdu_length
        self.leg = plan(net, &self.shape, t_us, self.words, response_us(self.words))
        message_facts(&self.facts, &self.shape, &peer)

    @property
    def start_us(self):
        """When it begins."""
        return self.leg.start_us

    @start_us.setter
    def start_us(self, int64_t t_us):
        self.leg.start_us = t_us

    @property
    def end_us(self):
        """When its last message is sent."""
        return when(&self.leg, M_END)

    @property
    def received_us(self):
        """When the handset acknowledges it."""
        return when(&self.leg, M_SMS_OK)

    def begin(self, int32_t cell, uint32_t tmsi):
        """Puts it among the messages to come: a station in this cell, under this TMSI."""
        if not 0 <= cell < self.net.cells:
            raise IndexError(f"cell {cell} of {self.net.cells}")
        self.facts.cell, self.facts.tmsi = cell, tmsi
        begin(
            self.net, &self.leg,
            act(self.net, self.leg.start_us, self.sub, A_TEXT_RECEIVED, O_DELIVERED, -1, &self.facts.peer),
            self.sub, &self.shape, &self.facts, self.words,
        )


cdef const uint8_t *stamp_octets(bytes stamp) except NULL:
    if len(stamp) != 7:
        raise ValueError(f"a service centre time stamp has 7 octets, not {len(stamp)}")
    return <const uint8_t *><const char *>stamp
