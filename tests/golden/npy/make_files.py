"""Writes the .npy files of the reader's tests with NumPy. Run once, by hand: python3 make_files.py

good_*.npy hold float64 value 10 r + c at row r and column c of [3, 4] (as far as the type can), and
events_*.npy the numbers 0 .. 23 of [2, 3, 4] in C order. The arrays of *.npz say it in their names.
"""
import pathlib

import numpy as np
from numpy.lib import format as npy

FOLDER = pathlib.Path(__file__).parent
TABLE = np.arange(3)[:, None] * 10.0 + np.arange(4)
EVENTS = np.arange(24.0).reshape(2, 3, 4)

for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    for order, sign in [("little", "<"), ("big", ">")]:
        if kind.endswith("1") and order == "big":
            continue
        table = TABLE.astype(sign + kind)
        np.save(FOLDER / f"good_{kind}_{order}_c.npy", table)
        np.save(FOLDER / f"good_{kind}_{order}_fortran.npy", np.asfortranarray(table))
np.save(FOLDER / "bool.npy", TABLE % 2 == 0)
np.save(FOLDER / "events_c.npy", EVENTS)
np.save(FOLDER / "events_fortran.npy", np.asfortranarray(EVENTS))
np.save(FOLDER / "vector.npy", np.array([1.5, -2.5, 1e300]))
np.save(FOLDER / "scalar.npy", np.float64(3.5))
np.save(FOLDER / "empty.npy", np.zeros((0, 4)))
np.save(FOLDER / "not_finite.npy", np.array([[1.0, 2.0], [3.0, np.nan]]))
np.save(FOLDER / "half_special.npy", np.array([1e-7, 65504, -0.5, np.inf], np.float16))
np.save(FOLDER / "large_integer.npy", np.array([[1], [2**60]], np.int64))
np.save(FOLDER / "object.npy", np.array([[1, None]], object), allow_pickle=True)
np.save(FOLDER / "record.npy", np.zeros(3, [("a", "f4"), ("b", "i4")]))
np.save(FOLDER / "text.npy", np.array(["one", "two"]))
np.save(FOLDER / "complex.npy", np.zeros((2, 2), complex))
np.save(FOLDER / "date.npy", np.zeros(2, "datetime64[s]"))
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(FOLDER / f"version_{version[0]}.npy", "wb") as file:
        npy.write_array(file, TABLE, version=version)

# Row r of records.npy is (r + 0.5, -r, "ab", r odd, 10 r and 10 r + 1, 7 + r) in fields of mixed byte order.
RECORD = [("x", "<f8"), ("k", ">i4"), ("tag", "S2"), ("odd", "?"), ("pair", "<f4", (2,)), ("n", "<i8")]
RECORDS = np.array([(r + 0.5, -r, b"ab", r % 2 == 1, (10 * r, 10 * r + 1), 7 + r) for r in range(3)], RECORD)
np.save(FOLDER / "records.npy", RECORDS)
np.save(FOLDER / "records_padded.npy", np.array([(1, 2.5), (3, 4.5)], np.dtype("u1, f8", align=True)))
np.save(FOLDER / "records_nested.npy", np.array([((1.0, 2.0), 3.0)], [("p", [("a", "f8"), ("b", "f8")]), ("z", "f8")]))
np.save(FOLDER / "records_text.npy", np.array([("one",)], [("s", "U3")]))
BIG = np.array([[1, 2**60], [2, 3]])
np.save(FOLDER / "large_beside.npy", BIG)
np.save(FOLDER / "large_beside_fortran.npy", np.asfortranarray(BIG))
np.savez(FOLDER / "one.npz", table=TABLE)
np.savez_compressed(FOLDER / "columns.npz", x=TABLE[:, 0], y=TABLE[:, 1:2].astype("f4"), z=TABLE[:, 2:])
np.savez_compressed(FOLDER / "fortran.npz", table=np.asfortranarray(TABLE))
np.savez_compressed(FOLDER / "mixed.npz", table=TABLE, events=EVENTS, short=np.zeros(2))
