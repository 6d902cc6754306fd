"""The tables that a fast call goes by, and the names of their words.

- A *signature* is a list of words that tells calls apart: for each object its type, for
  a container its length, for an array dtype, rank and sizes, for a static value what it
  is. The objects are gone through breadth first, keys of dicts before their values, and
  each has a *slot*; slots 0 and 1 are ``args`` and ``kwargs``.
- The words `STATE` are an *index*: a hash table of recipes, pairs of a hash and an
  address; which one was found last, since most calls are like the one before; and the
  room for slots, their marks (whether they are static), and words.
- A *recipe* is a table of the words `FIELDS`.
- A *guard* is a cell or a dict, the key in a dict, and the object that is to be there.
- A *row* takes one argument: kind, slot, buffer, and bytes; a part of one its offset.
- A *part* makes the result, as a stack machine: kind and two operands.
- A *frame* is the memory of one call: a word, the buffers of the program, the objects
  and cells of the rows, the stack, and the objects and cells of the outputs.
- An output is specified by its dtype object, rank, bytes, and sizes; one that lies in
  the array of another by the number of that, -1, and its offset.
- The words `API` are addresses of C functions and of objects.
"""

from __future__ import annotations

from ...plan.arena import ALIGNMENT, LARGE

__all__ = [
    "API",
    "CONSTANTS",
    "COUNTS",
    "FIELDS",
    "MULTIPLIER",
    "PARTS",
    "ROWS",
    "SLACK",
    "STATE",
]

STATE = ("MASK", "LAST", "ROOM", "WORD_ROOM", "SLOTS", "MARKS", "WORDS", "TABLE")
FIELDS = (
    *("OWNER", "BUSY", "USED", "FRAME"),  # the object of the recipe; its one frame
    *("SIGNATURE", "LENGTH", "VALUES", "VALUE_COUNT"),  # pairs of slot and value
    *("ROWS", "ROW_COUNT", "PARTS", "PART_COUNT", "OUTPUTS", "OUTPUT_COUNT"),
    *("HELD", "CELLS", "STACK", "OBJECTS"),  # byte offsets in a frame
    *("FIRST_OUTPUT", "PROGRAM", "STEPS", "LONG"),
    *("OUT", "CHECKED"),  # the slot of ``out``; whether the program may fail
    *("GUARDS", "GUARD_COUNT"),
    *("BACK", "BACK_COUNT"),  # pairs of the row of an argument that is written, output
)
ROWS = ("NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "TARGET", "WRITTEN", "PART")
PARTS = ("LEAF", "NEW_TUPLE", "NEW_LIST", "NEW_DICT", "NEW_OBJECT", "CONSTANT")
API = (
    *("INDEX", "POSITIONS", "NAMES", "RUN", "INCREF", "DECREF", "RELEASE", "RESTORE"),
    *(
        "DICT_NEXT",
        "DICT_GET",
        "LONG_VALUE",
        "HASH",
        "EQUAL",
        "TYPE_FLAGS",
        "MOVE",
        "ALLOC",
    ),
    *("TUPLE_NEW", "LIST_NEW", "DICT_NEW", "DICT_SET", "ARRAY_NEW", "SCALAR_NEW"),
    *("SET_BASE", "BYTES"),
    *("NOT_IMPLEMENTED", "NDARRAY", "TUPLE", "LIST", "DICT", "NONE", "TRUE"),
    *("NONE_TYPE", "BOOL", "INT", "FLOAT", "STR", "NUMBERS"),
)
COUNTS = 32  # of positional arguments, for which POSITIONS says which are static
SLACK = 72  # words that one object may need at most: an array of 64 axes
MULTIPLIER = 0x5851F42D4C957F2D  # odd, with bits all over (Knuth's MMIX)
CONSTANTS = {
    **{
        name: number
        for names in (STATE, FIELDS, ROWS, PARTS, API)
        for number, name in enumerate(names)
    },
    "HEADER": object.__basicsize__ // 8,
    "ITEMS": tuple.__basicsize__ // 8,
    "READABLE": 0x101,  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
    "WRITABLE": 0x501,  # and NPY_ARRAY_WRITEABLE
    "TUPLE_LIKE": 1 << 26,  # Py_TPFLAGS_TUPLE_SUBCLASS
    "ALIGNMENT": ALIGNMENT,
    "LARGE": LARGE,
    "COUNTS": COUNTS,
    "MULTIPLIER": MULTIPLIER,
}
