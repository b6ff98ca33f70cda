"""A USIM that computes by Milenage (TS 35.206) over AES-128 (FIPS 197), for the stations of these checks."""

from dataclasses import dataclass

Octets = bytes | list[int]


def _xor(one: Octets, other: Octets) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _double(octet: int) -> int:
    """Times x in GF(2^8): FIPS 197 4.2.1."""
    return octet << 1 ^ (0x11B if octet & 0x80 else 0)


def _multiply(one: int, other: int) -> int:
    product = 0
    while other:
        product ^= one if other & 1 else 0
        one, other = _double(one), other >> 1
    return product


def _substitution(octet: int) -> int:
    """S-box, FIPS 197 5.1.1: the inverse (the 254th power), then the affine transformation."""
    inverse = 1
    for _ in range(254):
        inverse = _multiply(inverse, octet)
    turned = [inverse << turn | inverse >> (8 - turn) for turn in range(5)]
    return (turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63) & 0xFF


_S_BOX = bytes(_substitution(octet) for octet in range(256))
#: ShiftRows, FIPS 197 5.1.2: where each octet of the state comes from, column by column.
_SHIFTED = [(4 * (column + row) + row) % 16 for column in range(4) for row in range(4)]


def _round_keys(key: bytes) -> list[bytes]:
    """FIPS 197 5.2."""
    words = [key[at : at + 4] for at in range(0, 16, 4)]
    constant = 1
    while len(words) < 44:
        word = words[-1]
        if len(words) % 4 == 0:
            word = bytes(_S_BOX[octet] for octet in word[1:] + word[:1])
            word = _xor(word, [constant, 0, 0, 0])
            constant = _double(constant)
        words.append(_xor(words[-4], word))
    return [b"".join(words[at : at + 4]) for at in range(0, 44, 4)]


def _mixed(column: bytes) -> bytes:
    """MixColumns, FIPS 197 5.1.3."""
    a, b, c, d = column
    return bytes(
        _double(one) ^ _double(two) ^ two ^ three ^ four
        for one, two, three, four in ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))
    )


def aes128(key: bytes, block: bytes) -> bytes:
    """One block, encrypted."""
    keys = _round_keys(key)
    state = _xor(block, keys[0])
    for number, round_key in enumerate(keys[1:], start=1):
        state = bytes(_S_BOX[state[at]] for at in _SHIFTED)
        if number < 10:
            state = b"".join(_mixed(state[at : at + 4]) for at in range(0, 16, 4))
        state = _xor(state, round_key)
    return state


def derive_opc(key: bytes, op: bytes) -> bytes:
    """TS 35.206 4.1."""
    return _xor(aes128(key, op), op)


@dataclass(slots=True)
class Usim:
    """Key, OPc and the highest sequence number accepted."""

    key: bytes
    opc: bytes
    sqn: int = 0

    def _out(self, rand: bytes, turn: int, constant: int) -> bytes:
        """OUT2 to OUT5 of TS 35.206 4.1; the turn is in octets."""
        block = _xor(aes128(self.key, _xor(rand, self.opc)), self.opc)
        block = _xor(block[turn:] + block[:turn], bytes(15) + bytes([constant]))
        return _xor(aes128(self.key, block), self.opc)

    def macs(self, rand: bytes, sqn: bytes, amf: bytes) -> tuple[bytes, bytes]:
        """MAC-A and MAC-S: f1 and f1*."""
        block = _xor(2 * (sqn + amf), self.opc)
        block = _xor(aes128(self.key, _xor(rand, self.opc)), block[8:] + block[:8])
        out = _xor(aes128(self.key, block), self.opc)
        return out[:8], out[8:]

    def response(self, rand: bytes) -> bytes:
        """RES: f2."""
        return self._out(rand, 0, 1)[8:]

    def anonymity_key(self, rand: bytes) -> bytes:
        """AK: f5."""
        return self._out(rand, 0, 1)[:6]

    def resynchronisation_key(self, rand: bytes) -> bytes:
        """AK of a re-synchronisation: f5*."""
        return self._out(rand, 12, 8)[:6]

    def sres(self, rand: bytes) -> bytes:
        """What a station without UMTS answers: conversion function c2 of TS 33.102 6.8.1.2."""
        res = self.response(rand)
        return _xor(res[:4], res[4:])

    def answer(self, rand: bytes, autn: bytes) -> bytes | None:
        """RES, or None for a sequence number of the past; ValueError for a network that lacks the key."""
        sqn = _xor(autn[:6], self.anonymity_key(rand))
        if self.macs(rand, sqn, autn[6:8])[0] != autn[8:]:
            raise ValueError(f"AUTN {autn.hex()} has the wrong MAC")
        if int.from_bytes(sqn, "big") <= self.sqn:
            return None
        self.sqn = int.from_bytes(sqn, "big")
        return self.response(rand)

    def auts(self, rand: bytes) -> bytes:
        """The own sequence number, concealed, and MAC-S: TS 33.102 6.3.3; AMF* is 0."""
        sqn = self.sqn.to_bytes(6, "big")
        return _xor(sqn, self.resynchronisation_key(rand)) + self.macs(rand, sqn, b"\0\0")[1]
