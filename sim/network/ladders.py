"""The bridge from the network's values to the reference codec's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.bssap.procedures import Params, Step, ladder
from sim.network.rows import Values
from sim.network.templates import Shape


@dataclass(frozen=True, slots=True)
class ReferenceLadders:
    """Ladders by `sim.bssap.procedures`, in one network."""

    mcc: str = "001"
    mnc: str = "01"
    smsc: str = "8613800000500"
    """Address of the short message service centre."""

    def __call__(self, shape: Shape, values: Values) -> tuple[Step, ...]:
        options: dict[str, Any] = dict(shape.options)
        v = values
        return ladder(
            shape.kind,
            Params(
                mcc=self.mcc,
                mnc=self.mnc,
                smsc=self.smsc,
                imsi=v.imsi,
                imei=v.imei,
                tmsi=v.tmsi,
                new_tmsi=v.new_tmsi,
                lac=v.lac,
                ci=v.ci,
                old_mcc=v.old_mcc,
                old_mnc=v.old_mnc,
                old_lac=v.old_lac,
                lac2=v.lac2,
                ci2=v.ci2,
                bss_ref=v.bss_ref,
                msc_ref=v.msc_ref,
                bss_ref2=v.bss_ref2,
                msc_ref2=v.msc_ref2,
                cic=v.cic,
                cic2=v.cic2,
                rand=v.rand,
                sres=v.sres,
                kc=v.kc,
                rp_ref=v.rp_ref,
                ti=v.ti,
                handover_reference=v.ho_ref,
                handover_cell=v.ho_cell,
                called=v.called,
                calling=v.calling,
                tpdu=v.tpdu,
                **options,
            ),
        )
