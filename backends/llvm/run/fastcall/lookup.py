"""The source of the look-up: from the objects of a call to its recipe.

It reads Python's objects in memory, as the C headers of CPython and NumPy lay them out;
`caller_tables` says what a signature is. Nothing here runs Python code, so that no
object goes away.
"""

from __future__ import annotations

__all__ = ["LOOKUP"]

LOOKUP = """
def flags_of(array):
    return int64(i32_pointer(array)[2 * HEADER + 12])

def is_static_name(api, key):
    # Is a keyword's argument static? Names are few, and mostly the same objects.
    names = i64_pointer(i64_pointer(api)[NAMES])
    for number in range(names[0]):
        if key == names[1 + number]:
            return True
        if i64_pointer(key)[HEADER - 1] == i64_pointer(api)[STR]:
            equal = i64_pointer(api)[EQUAL]
            if invoke(equal, key, names[1 + number], 2) & 0xFFFFFFFF == 1:
                return True
    return False

def members(api, item, kind):
    # The address of the items of a tuple or a list; 0 for anything else.
    call = i64_pointer(api)
    if kind == call[LIST]:
        return i64_pointer(item)[HEADER + 1]
    if kind == call[TUPLE]:
        return item + 8 * ITEMS
    if kind == call[FLOAT] or kind == call[INT] or kind == call[NONE_TYPE]:
        return 0
    if kind == call[BOOL]:
        return 0
    if invoke(call[TYPE_FLAGS], kind) & TUPLE_LIKE != 0:
        return item + 8 * ITEMS
    return 0

def is_number(api, kind):
    # Is it of a type whose values tell nothing?
    numbers = i64_pointer(i64_pointer(api)[NUMBERS])
    for number in range(numbers[0]):
        if kind == numbers[1 + number]:
            return True
    return False

def static_word(api, item, kind, cell):
    # What tells a static value from others of its type.
    call = i64_pointer(api)
    if kind == call[INT]:
        return invoke(call[LONG_VALUE], item, cell)
    if kind == call[FLOAT]:
        return i64_pointer(item)[HEADER]
    return item

def text_word(api, item):
    # The hash of a string, which knows it if it is the key of a dict.
    known = i64_pointer(item)[HEADER + 1]
    if known != -1:
        return known
    return invoke(i64_pointer(api)[HASH], item)

def entries(api, item, slots, marks, names):
    # The keys and values of a dict into slots; keys are static, and some values are.
    count = i64_pointer(item)[HEADER]
    objects = i64_pointer(slots)
    place = slots + 16 * count
    i64_pointer(place)[0] = 0
    for number in range(count):
        slot = slots + 16 * number
        next = i64_pointer(api)[DICT_NEXT]
        more = invoke(next, item, place, slot, slot + 8) & 0xFFFFFFFF
        if more == 0:
            return False
        i64_pointer(marks)[2 * number] = 1
        i64_pointer(marks)[2 * number + 1] = 0
        if names:
            if is_static_name(api, objects[2 * number]):
                i64_pointer(marks)[2 * number + 1] = 1
    return True

def survey(api, args, kwargs):
    # The signature of a call; its length, or 0 where it is none of any recipe's.
    call = i64_pointer(api)
    index = i64_pointer(call[INDEX])
    objects = i64_pointer(index[SLOTS])
    marks = i64_pointer(index[MARKS])
    words = i64_pointer(index[WORDS])
    objects[0] = args
    objects[1] = kwargs
    marks[0] = 0
    marks[1] = 0
    used = 2
    size = 0
    number = 0
    while number < used:
        if size > index[WORD_ROOM]:
            return 0
        item = objects[number]
        found = i64_pointer(item)
        kind = found[HEADER - 1]
        if kind == call[NDARRAY]:
            if flags_of(item) & READABLE != READABLE:
                return 0
            rank = int64(i32_pointer(item)[2 * HEADER + 2])
            sizes = i64_pointer(found[HEADER + 2])
            words[size] = found[HEADER + 5]
            words[size + 1] = rank
            for axis in range(rank):
                words[size + 2 + axis] = sizes[axis]
            size += 2 + rank
        elif kind == call[STR]:
            words[size] = kind
            words[size + 1] = text_word(api, item)
            size += 2
        elif kind == call[DICT]:
            count = found[HEADER]
            if used + 2 * count > index[ROOM]:
                return 0
            slots = index[SLOTS] + 8 * used
            named = number == 1 and i64_pointer(call[NAMES])[0] > 0
            if not entries(api, item, slots, index[MARKS] + 8 * used, named):
                return 0
            words[size] = kind
            words[size + 1] = count
            size += 2
            used += 2 * count
        else:
            words[size] = kind
            size += 1
            start = members(api, item, kind)
            if start != 0:
                count = found[HEADER]
                if used + count > index[ROOM]:
                    return 0
                for place in range(count):
                    objects[used + place] = i64_pointer(start)[place]
                    marks[used + place] = marks[number]
                if number == 0 and count < COUNTS:
                    static = i64_pointer(call[POSITIONS])[count]
                    for place in range(count if static != 0 else 0):
                        marks[used + place] = static >> place & 1
                words[size] = count
                size += 1
                used += count
            elif marks[number] != 0 or not is_number(api, kind):
                cell = index[WORDS] + 8 * size + 8
                i64_pointer(cell)[0] = 0
                words[size] = static_word(api, item, kind, cell)
                if kind == call[INT] and i32_pointer(cell)[0] != 0:
                    return 0
                size += 1
        number += 1
    return size

def is_same(api, one, other):
    # Are these one object, or equal numbers or texts? Neither runs Python code.
    if one == other:
        return True
    if one == 0 or other == 0:
        return False
    kind = i64_pointer(one)[HEADER - 1]
    if kind != i64_pointer(other)[HEADER - 1]:
        return False
    call = i64_pointer(api)
    if kind == call[FLOAT]:
        return i64_pointer(one)[HEADER] == i64_pointer(other)[HEADER]
    if kind == call[INT] or kind == call[STR]:
        return invoke(call[EQUAL], one, other, 2) & 0xFFFFFFFF == 1
    return False

def holds(api, recipe):
    # Do cells and dicts have what they had?
    fields = i64_pointer(recipe)
    guards = i64_pointer(fields[GUARDS])
    for number in range(fields[GUARD_COUNT]):
        holder = guards[3 * number]
        key = guards[3 * number + 1]
        found = 0
        if key == 0:
            found = i64_pointer(holder)[HEADER]
        else:
            found = invoke(i64_pointer(api)[DICT_GET], holder, key)
        if not is_same(api, found, guards[3 * number + 2]):
            return False
    return True

def fits(api, recipe, length):
    # Is this the signature of an idle recipe, and do its guards hold? Its hash is.
    fields = i64_pointer(recipe)
    index = i64_pointer(i64_pointer(api)[INDEX])
    if fields[BUSY] != 0 or fields[LENGTH] != length:
        return False
    words = i64_pointer(index[WORDS])
    wanted = i64_pointer(fields[SIGNATURE])
    for number in range(length):
        if words[number] != wanted[number]:
            return False
    values = i64_pointer(fields[VALUES])
    for number in range(fields[VALUE_COUNT]):
        value = i64_pointer(index[SLOTS])[values[2 * number]]
        if not is_same(api, value, values[2 * number + 1]):
            return False
    return holds(api, recipe)

def find(api, length):
    # The recipe of the signature, or 0.
    index = i64_pointer(i64_pointer(api)[INDEX])
    last = index[LAST]
    if last != 0:
        if fits(api, last, length):
            return last
    words = i64_pointer(index[WORDS])
    hash = 0
    for number in range(length):
        hash = (hash + words[number]) * MULTIPLIER
    mask = index[MASK]
    place = hash >> 32 & mask
    while index[TABLE + 2 * place + 1] != 0:
        if index[TABLE + 2 * place] == hash:
            recipe = index[TABLE + 2 * place + 1]
            if fits(api, recipe, length):
                index[LAST] = recipe
                return recipe
        place = place + 1 & mask
    return 0
"""
