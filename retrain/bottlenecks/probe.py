"""Three built-in pictures whose bottlenecks tell whether this environment computes like the last one.

The fingerprint lists what is known to change a bottleneck. The probe catches what the list
forgot: another decoder, resize, kernel library or TensorFlow that gives other numbers. Its
bottlenecks are stored under the view `probe` beside the photos' and compared at every start.
"""

import base64
import functools
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

VIEW = "probe"

# Greatest relative error, by compute dtype, that counts as the same computation. Another CPU's
# kernels differ by about 1e-3 in float32 and 1e-2 in bfloat16 and int8; see tests/test_probe.py for what
# another resize, scaling or weights would give.
TOLERANCES = {"float32": 5e-3, "float16": 2e-2, "bfloat16": 3e-2, "int8": 3e-2}

# 80 x 60, chroma subsampled, quality 35: decoders differ most on such files.
JPEG = base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV02dGu6cG*=6cQ8~7#ABNIVB<=A0kFFH7Pk#NLN)+NKj5&W`l2AVSHjvP;#4de20sYl#*C&"
    "psb&cs)LV`jsM#KLjf2X8X_JdLnS3cjb2b*jg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg5_sjg9}n"
    "01*fPJOEGw0U`hb5di}c0sq7R8UO$T0RaI40000000000000971p)y82LHqWF%SR&0|NpC1Oo{H00000000330}%iO5+Oka6CzO*"
    "F*4C{q2UHXQelCSvBB^o|HJ?p0RRI50RaF20000000000009F80tEp7!~if6009C62Lc5G2LJ#7000000RRF65kUkJAu&;5@Dnm3"
    "ae<McLSjQwqOro^@&DQY3<CiG0ucid06zfv<Xe=e6$li5PH~8srh|F(#7z|p^7fgkOh(-;Y4B9me3ceK_d#W_kO9!sEL)VQ6$lho"
    "?epsLnr)`@>4=)1BuUEkJ9qQ=(Gpi1XE?-6QEu)<ji>;_%h4K4cQj=wyB15Xo}ZaLg+^X?w+ek^jE;%(#B3>0@4g{;9x94+Dy_kT"
    ")H8QzShTk(P$WRB3^SZ!CMXuo=Lv|Kb@$uhmTG;%J0u;|x5w#Nh~P!WV#ArN`6?=+;&(`2I2^kS$i<NwYpL`0{V0~@HslovJ%vd_"
    "&Ri&|1g9-YI;hiuVXIZS02HT5*ImAJ=fjX|T~6Kn{xnkBZGnyHLB#5{;lf0uL83IyexWf;qTHoGs6eA~bBsjAB*mYKQu}q^f{7t6"
    "mdaHFK~0o5Zpxim2uehfYcAZ|*tR+9>--7TMxwm)*H32brLc5BIuEbsL9KJ~q5VAc$yEl<=(yxRb*qboaTkG7VYFz0zPq2=h|_o-"
    "3?xuiv?2iNQ2U~`hZf+)XA$^CP+Nt-WCzu*+%!#(X@zHP*5Y(ebCA&g0E$ACH`r7@Ao{PbidLeev(hKN{@<lNa^kFQvk)9ngzq1m"
    "f3~UYGn`^3D^Nfaiz$7&@4-dNYvM*GBhC~|+cr|DPJmYUsYngmpb1IMN4CI!KPq<AA(o1qID`UDo<gOx7X8wna7IRc17Sg?ZZ6OG"
    "{{WtuBMFzDTxhGFHo}rZ8E~liWdKs|aZ7><S^>1Hx2yM{77~P&4I_F9eI$^87DoFIdIAU!4LH7rlH};SCLNvtyyc>RW#?BJ9ZA%a"
    "LpMr$p`n6K`_PD4UaBYKO`_Z+NDyhb3Cf+@`F!Z1v|FD18-Q44o?g>6L6!keF+?OpncBT<&VHdWNpWkESK%2W1esX}e&6rvkVtqF"
    "?4YRTHC*OHF<*2gpM2ll72;BugoCgY?W;Vv(q@9ixJZ<UHCEBEQdHppBut$mnHkP$3_bKTmnTJQz-wgOlDtTd43<P>>5@AE_5SM?"
    "ZRZJyngfoi;_+??37AMb3bAW$5+x!HD4UESwC>-_=S2RWP8bD4S#`zA`cc?dxjDunVwzG$28nKwtvG<k3pmK*zc5_W5zjZ=W>A@I"
    "Bmi_Y(-!3_1wsXP5t*Z3xT}5~>#e|80twnk6*+N;Nc@?9e#ikb0IE}oU8R(ASn7C)Fk=9B_|*Gm!axT@L$w(xN>L<}B%SHz(le(Q"
    "bYb;}anDX*x~zgBHt0-RTa>632oz2#<~HeJqt@rDHc!{yoM|HplC_t(gT;S!Sb^9LDItTa(E3h0^8{eB`|lbeSvC>?R)(9qJ{H8}"
    "aVzN_UR(UXn&Sx>)X%goxVzxlQRSsNBzby|u&*$6;t+oiFHL=xqeKwg2@{(C*#"
)


@functools.cache
def probe_photos() -> tuple[bytes, ...]:
    """The encoded pictures: a JPEG, and two PNGs of fine texture and of coarse shapes."""
    rows, columns = np.mgrid[0:480, 0:640]
    texture = np.stack([(columns * 7) ^ (rows * 5), columns * rows // 11, (columns * columns + rows) // 3], axis=-1)
    shapes = np.stack([(columns // 53 + rows // 41) * 83, (columns + 2 * rows) // 5, columns // 31 * 29], axis=-1)
    return (JPEG, _png(texture), _png(shapes))


def relative_error(vectors: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> float:
    """The greatest ||a - b|| / ||b|| over the rows of two matrices of shape (n, dim)."""
    difference = np.linalg.norm(vectors.astype(np.float64) - expected, axis=1)
    length = np.linalg.norm(expected.astype(np.float64), axis=1)
    return float(np.max(difference / np.maximum(length, 1e-30), initial=0.0))


def _png(pixels: npt.NDArray[np.integer]) -> bytes:
    file = io.BytesIO()
    Image.fromarray((pixels % 256).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
