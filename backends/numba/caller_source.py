"""The source of the function that takes a call apart, in the kernel language.

It reads Python's objects in memory, as the C headers of CPython and NumPy lay them out.

- A *recipe* is a table of the words `FIELDS`.
- A *token* takes one object of the arguments: kind, its slot, and two operands. Slots
  0 and 1 are ``args`` and ``kwargs``; the items of a container get the next slots.
- A *part* makes the result, as a stack machine: kind and two operands.
- A *frame* is the memory of one call: the next idle frame, the buffers of the program,
  the slots, and the objects and cells of the outputs.
- An array is specified by its dtype object, rank, bytes, and sizes.
- The words `API` are addresses of C functions and of objects.
"""

from __future__ import annotations

__all__ = ["API", "CONSTANTS", "FIELDS", "PARTS", "SOURCE", "TOKENS"]

FIELDS = (
    *("NEXT", "FRAMES", "SLOTS", "OBJECTS"),  # NEXT recipe; idle FRAMES; byte offsets
    *("TOKENS", "TOKEN_COUNT", "PARTS", "PART_COUNT", "OUTPUTS", "OUTPUT_COUNT"),
    *("FIRST_OUTPUT", "PROGRAM", "STEPS", "LONG", "OUT"),  # OUT: the slot of ``out``
)
TOKENS = ("TUPLE", "LIST", "DICT", "SAME", "NUMBER", "INTEGER", "ARRAY", "TARGET")
PARTS = ("LEAF", "NEW_TUPLE", "NEW_LIST", "NEW_DICT", "THE_NONE")
API = (
    *("HEAD", "RUN", "INCREF", "DECREF", "RELEASE", "RESTORE", "DICT_NEXT"),
    *("LONG_VALUE", "TUPLE_NEW", "LIST_NEW", "DICT_NEW", "DICT_SET", "ALLOC"),
    *("ARRAY_NEW", "SCALAR_NEW", "NOT_IMPLEMENTED", "NDARRAY", "PLAIN_TUPLE", "NONE"),
)
CONSTANTS = {
    **{
        name: number
        for names in (FIELDS, TOKENS, PARTS, API)
        for number, name in enumerate(names)
    },
    "HEADER": object.__basicsize__ // 8,
    "ITEMS": tuple.__basicsize__ // 8,
    "READABLE": 0x101,  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
    "WRITABLE": 0x501,  # and NPY_ARRAY_WRITEABLE
}
SOURCE = """
def like(item, specification, flags):
    # Is the array of this dtype and shape, with these flags set?
    found = i64_pointer(item)
    wanted = i64_pointer(specification)
    if found[HEADER + 5] != wanted[0]:
        return False
    if int64(i32_pointer(item)[2 * HEADER + 2]) != wanted[1]:
        return False
    if int64(i32_pointer(item)[2 * HEADER + 12]) & flags != flags:
        return False
    sizes = i64_pointer(found[HEADER + 2])
    for axis in range(wanted[1]):
        if sizes[axis] != wanted[3 + axis]:
            return False
    return True

def overlap(table, slots, count):
    # Does the array of a TARGET share memory with that of any other token?
    tokens = i64_pointer(table)
    items = i64_pointer(slots)
    for number in range(count):
        if tokens[4 * number] == TARGET:
            start = i64_pointer(items[tokens[4 * number + 1]])[HEADER]
            end = start + i64_pointer(tokens[4 * number + 2])[2]
            for other in range(count):
                kind = tokens[4 * other]
                if kind == ARRAY or (kind == TARGET and other < number):
                    begin = i64_pointer(items[tokens[4 * other + 1]])[HEADER]
                    nbytes = i64_pointer(tokens[4 * other + 2])[2]
                    if begin < end and start < begin + nbytes:
                        return True
    return False

def entries(api, item, keys, slots):
    # The values of a dict into slots, if its keys are these objects in this order.
    wanted = i64_pointer(keys)
    place = slots + 8 * wanted[0]
    i64_pointer(place)[0] = 0
    for number in range(wanted[0]):
        slot = slots + 8 * number
        next = i64_pointer(api)[DICT_NEXT]
        more = invoke(next, item, place, place + 8, slot) & 0xFFFFFFFF
        if more == 0 or i64_pointer(place)[1] != wanted[1 + number]:
            return False
    return True

def fits(api, recipe, frame, args, kwargs):
    # Fill the slots, and the buffers of the arguments, up to what does not fit.
    fields = i64_pointer(recipe)
    buffers = i64_pointer(frame + 8)
    slots = i64_pointer(frame + fields[SLOTS])
    tokens = i64_pointer(fields[TOKENS])
    slots[0] = args
    slots[1] = kwargs
    used = 2
    for number in range(fields[TOKEN_COUNT]):
        kind = tokens[4 * number]
        item = slots[tokens[4 * number + 1]]
        a = tokens[4 * number + 2]
        b = tokens[4 * number + 3]
        found = i64_pointer(item)
        next = frame + fields[SLOTS] + 8 * used
        if kind == SAME:
            if item != a:
                return False
        elif kind == ARRAY or kind == TARGET:
            if found[HEADER - 1] != i64_pointer(api)[NDARRAY]:
                return False
            if not like(item, a, READABLE if kind == ARRAY else WRITABLE):
                return False
            buffers[b] = found[HEADER]
        elif found[HEADER - 1] != a:
            return False
        elif kind == NUMBER:
            buffers[b] = item + 8 * HEADER
        elif kind == INTEGER:
            value = invoke(i64_pointer(api)[LONG_VALUE], item, next + 8)
            if i32_pointer(next)[2] != 0:
                return False
            i64_pointer(next)[0] = value
            buffers[b] = next
            used += 2
        elif kind == DICT:
            count = i64_pointer(b)[0]
            if found[HEADER] != count:
                return False
            if not entries(api, item, b, next):
                return False
            used += count
        else:
            if found[HEADER] != b:
                return False
            start = item + 8 * ITEMS if kind == TUPLE else found[HEADER + 1]
            items = i64_pointer(start)
            for place in range(b):
                slots[used + place] = items[place]
            used += b
    if fields[OUT] == 0:
        return True
    return not overlap(fields[TOKENS], frame + fields[SLOTS], fields[TOKEN_COUNT])

def drop(api, objects, count):
    # Give up the outputs that were made so far.
    made = i64_pointer(objects)
    for number in range(count):
        if made[number] != 0:
            invoke(i64_pointer(api)[DECREF], made[number])
    return 0

def allocate(api, recipe, frame):
    # Make the arrays of the outputs; scalars are computed into cells.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    buffers = i64_pointer(frame + 8 + 8 * fields[FIRST_OUTPUT])
    objects = i64_pointer(frame + fields[OBJECTS])
    outputs = i64_pointer(fields[OUTPUTS])
    cells = frame + fields[OBJECTS] + 8 * fields[OUTPUT_COUNT]
    for number in range(fields[OUTPUT_COUNT]):
        wanted = i64_pointer(outputs[number])
        objects[number] = 0
        buffers[number] = cells + 8 * number
        if wanted[1] > 0:
            invoke(call[INCREF], wanted[0])
            sizes = outputs[number] + 24
            make = call[ARRAY_NEW]
            new = invoke(make, call[NDARRAY], wanted[0], wanted[1], sizes, 0, 0, 0, 0)
            if new == 0:
                drop(api, frame + fields[OBJECTS], number)
                return False
            objects[number] = new
            buffers[number] = i64_pointer(new)[HEADER]
    return True

def build(api, recipe, frame):
    # The result: parts push objects to the stack, containers take theirs from it.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    stack = i64_pointer(frame + fields[SLOTS])
    objects = i64_pointer(frame + fields[OBJECTS])
    outputs = i64_pointer(fields[OUTPUTS])
    cells = frame + fields[OBJECTS] + 8 * fields[OUTPUT_COUNT]
    parts = i64_pointer(fields[PARTS])
    top = 0
    for number in range(fields[PART_COUNT]):
        kind = parts[3 * number]
        a = parts[3 * number + 1]
        b = parts[3 * number + 2]
        made = call[NONE]
        if kind == LEAF:
            made = objects[a]
            if made == 0:
                dtype = i64_pointer(outputs[a])[0]
                made = invoke(call[SCALAR_NEW], cells + 8 * a, dtype, 0)
        elif kind == NEW_DICT:
            keys = i64_pointer(b)
            made = invoke(call[DICT_NEW])
            top -= a
            for place in range(a):
                key = keys[1 + place]
                invoke(call[DICT_SET], made, key, stack[top + place])
                invoke(call[DECREF], stack[top + place])
        elif kind == NEW_LIST:
            made = invoke(call[LIST_NEW], a)
            items = i64_pointer(i64_pointer(made)[HEADER + 1])
            top -= a
            for place in range(a):
                items[place] = stack[top + place]
        elif kind == NEW_TUPLE:
            if b == call[PLAIN_TUPLE]:
                made = invoke(call[TUPLE_NEW], a)
            else:
                made = invoke(call[ALLOC], b, a)
            members = i64_pointer(made)
            top -= a
            for place in range(a):
                members[ITEMS + place] = stack[top + place]
        else:
            invoke(call[INCREF], made)
        stack[top] = made
        top += 1
    return stack[0]

def compute(api, recipe, frame):
    # Run the program; for long ones without the GIL, the arguments held.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    tokens = i64_pointer(fields[TOKENS])
    slots = i64_pointer(frame + fields[SLOTS])
    run, program, steps = call[RUN], fields[PROGRAM], fields[STEPS]
    if fields[LONG] == 0:
        return invoke(run, program, steps, frame + 8, 0, 0)
    for number in range(fields[TOKEN_COUNT]):
        invoke(call[INCREF], slots[tokens[4 * number + 1]])
    state = invoke(call[RELEASE])
    status = invoke(run, program, steps, frame + 8, 0, 0)
    invoke(call[RESTORE], state)
    for number in range(fields[TOKEN_COUNT]):
        invoke(call[DECREF], slots[tokens[4 * number + 1]])
    return status

def follow(api, recipe, frame):
    # The result of the call, NotImplemented, or 0 where Python's error is set.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    if fields[OUT] == 0:
        if not allocate(api, recipe, frame):
            return 0
    status = compute(api, recipe, frame)
    result = call[NOT_IMPLEMENTED]
    if status != 0:
        if fields[OUT] == 0:
            drop(api, frame + fields[OBJECTS], fields[OUTPUT_COUNT])
        invoke(call[INCREF], result)
    elif fields[OUT] == 0:
        result = build(api, recipe, frame)
    else:
        result = i64_pointer(frame + fields[SLOTS])[fields[OUT]]
        invoke(call[INCREF], result)
    return result

@written_out
def kernel(self, call):
    api = self[HEADER]
    recipe = i64_pointer(api)[HEAD]
    while recipe != 0:
        fields = i64_pointer(recipe)
        frame = fields[FRAMES]
        if frame != 0:
            if fits(api, recipe, frame, call[ITEMS], call[ITEMS + 1]):
                fields[FRAMES] = i64_pointer(frame)[0]
                result = follow(api, recipe, frame)
                i64_pointer(frame)[0] = fields[FRAMES]
                fields[FRAMES] = frame
                return result
        recipe = fields[NEXT]
    invoke(i64_pointer(api)[INCREF], i64_pointer(api)[NOT_IMPLEMENTED])
    return i64_pointer(api)[NOT_IMPLEMENTED]
"""
