"""The source of the function that takes a call apart, in the kernel language.

The recipe of the call is looked up, its rows take the arguments, the program runs, and
the parts make the result. Until the rows are filled nothing runs Python code. Whatever
fails after that leaves no reference behind.
"""

from __future__ import annotations

from .lookup import LOOKUP

__all__ = ["SOURCE"]

SOURCE = f"""{LOOKUP}
def fill(api, recipe, frame):
    # The buffers of the arguments; False where a value is one for Python after all.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    objects = i64_pointer(i64_pointer(call[INDEX])[SLOTS])
    rows = i64_pointer(fields[ROWS])
    buffers = i64_pointer(frame + 8)
    held = i64_pointer(frame + fields[HELD])
    for number in range(fields[ROW_COUNT]):
        kind = rows[4 * number]
        item = objects[rows[4 * number + 1]]
        buffer = rows[4 * number + 2]
        held[number] = item
        cell = frame + fields[CELLS] + 8 * number
        if kind == ARRAY:
            buffers[buffer] = i64_pointer(item)[HEADER]
        elif kind == NUMBER:
            buffers[buffer] = item + 8 * HEADER
        elif kind == PART:
            buffers[buffer] = i64_pointer(item)[HEADER] + rows[4 * number + 3]
        elif kind == TARGET or kind == WRITTEN:
            if flags_of(item) & WRITABLE != WRITABLE:
                return False
            buffers[buffer] = i64_pointer(item)[HEADER]
        elif kind == BOOLEAN:
            i64_pointer(cell)[0] = 1 if item == call[TRUE] else 0
            buffers[buffer] = cell
        else:
            value = invoke(call[LONG_VALUE], item, cell)
            if i32_pointer(cell)[0] != 0:
                return False
            i64_pointer(cell)[0] = value
            buffers[buffer] = cell
    held[fields[ROW_COUNT]] = objects[fields[OUT]]
    return True

def meeting(recipe, frame):
    # 2 if an array that is written cannot be, since it shares memory: one of ``out``
    # with another of them, an argument with any; 1 if one of ``out`` does with an
    # argument, else 0.
    fields = i64_pointer(recipe)
    rows = i64_pointer(fields[ROWS])
    held = i64_pointer(frame + fields[HELD])
    met = 0
    for number in range(fields[ROW_COUNT]):
        role = rows[4 * number]
        if role == TARGET or role == WRITTEN:
            start = i64_pointer(held[number])[HEADER]
            end = start + rows[4 * number + 3]
            for other in range(fields[ROW_COUNT]):
                kind = rows[4 * other]
                if other != number and (kind == ARRAY or kind == role):
                    begin = i64_pointer(held[other])[HEADER]
                    if begin < end and start < begin + rows[4 * other + 3]:
                        if kind == TARGET or role == WRITTEN:
                            return 2
                        met = 1
    return met

def drop(api, objects, count):
    # Give up references.
    made = i64_pointer(objects)
    for number in range(count):
        if made[number] != 0:
            invoke(i64_pointer(api)[DECREF], made[number])
    return 0

def new_array(api, output, room):
    # An array of an output; a large one is aligned in bytes of its own. 0 if there is
    # no memory.
    call = i64_pointer(api)
    wanted = i64_pointer(output)
    make, kind, sizes = call[ARRAY_NEW], call[NDARRAY], output + 24
    if wanted[2] < LARGE:
        invoke(call[INCREF], wanted[0])
        return invoke(make, kind, wanted[0], wanted[1], sizes, 0, 0, 0, 0)
    i64_pointer(room)[0] = wanted[2] + ALIGNMENT
    invoke(call[INCREF], call[BYTES])
    memory = invoke(make, kind, call[BYTES], 1, room, 0, 0, 0, 0)
    if memory == 0:
        return memory
    data = i64_pointer(memory)[HEADER]
    data = data + (-data & (ALIGNMENT - 1))
    invoke(call[INCREF], wanted[0])
    new = invoke(make, kind, wanted[0], wanted[1], sizes, 0, data, WRITABLE, 0)
    if new == 0:
        invoke(call[DECREF], memory)
    else:
        invoke(call[SET_BASE], new, memory)
    return new

def allocate(api, recipe, frame):
    # Make the arrays of the outputs; scalars are computed into cells of 16 bytes, and
    # those that are packed into the array of the first of them.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    buffers = i64_pointer(frame + 8 + 8 * fields[FIRST_OUTPUT])
    objects = i64_pointer(frame + fields[OBJECTS])
    outputs = i64_pointer(fields[OUTPUTS])
    cells = frame + fields[OBJECTS] + 8 * fields[OUTPUT_COUNT]
    for number in range(fields[OUTPUT_COUNT]):
        wanted = i64_pointer(outputs[number])
        objects[number] = 0
        buffers[number] = cells + 16 * number
        if wanted[1] < 0:
            buffers[number] = buffers[wanted[0]] + wanted[2]
        if wanted[1] > 0:
            new = new_array(api, outputs[number], frame + fields[OBJECTS] + 8 * number)
            if new == 0:
                drop(api, frame + fields[OBJECTS], number)
                return False
            objects[number] = new
            buffers[number] = i64_pointer(new)[HEADER]
    return True

def deliver(api, recipe, frame):
    # Copy the outputs to the arrays of ``out``.
    fields = i64_pointer(recipe)
    rows = i64_pointer(fields[ROWS])
    buffers = i64_pointer(frame + 8)
    held = i64_pointer(frame + fields[HELD])
    for number in range(fields[ROW_COUNT]):
        if rows[4 * number] == TARGET:
            target = i64_pointer(held[number])[HEADER]
            source = buffers[rows[4 * number + 2]]
            invoke(i64_pointer(api)[MOVE], target, source, rows[4 * number + 3])
    return 0

def write_back(api, recipe, frame):
    # Copy outputs to the arguments that are written, and give them up.
    fields = i64_pointer(recipe)
    back = i64_pointer(fields[BACK])
    rows = i64_pointer(fields[ROWS])
    held = i64_pointer(frame + fields[HELD])
    outputs = i64_pointer(frame + 8 + 8 * fields[FIRST_OUTPUT])
    for number in range(fields[BACK_COUNT]):
        row = back[2 * number]
        output = back[2 * number + 1]
        target = i64_pointer(held[row])[HEADER]
        invoke(i64_pointer(api)[MOVE], target, outputs[output], rows[4 * row + 3])
        made = frame + fields[OBJECTS] + 8 * output
        drop(api, made, 1)
        i64_pointer(made)[0] = 0
    return 0

def give_up(api, recipe, frame, top):
    # An object could not be made: what the stack and the outputs hold goes.
    fields = i64_pointer(recipe)
    drop(api, frame + fields[STACK], top)
    drop(api, frame + fields[OBJECTS], fields[OUTPUT_COUNT])
    return 0

def make_part(api, recipe, frame, kind, a, b, items):
    # The object of one part, or 0 with Python's error set. The items stay where they
    # are: a dict has references of its own, a tuple and a list take over theirs.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    stack = i64_pointer(items)
    made = a
    if kind == LEAF:
        objects = i64_pointer(frame + fields[OBJECTS])
        made = objects[a]
        objects[a] = 0
        if made == 0:
            cells = frame + fields[OBJECTS] + 8 * fields[OUTPUT_COUNT]
            dtype = i64_pointer(i64_pointer(fields[OUTPUTS])[a])[0]
            made = invoke(call[SCALAR_NEW], cells + 16 * a, dtype, 0)
    elif kind == NEW_DICT:
        made = invoke(call[DICT_NEW])
        for place in range(a if made != 0 else 0):
            key = i64_pointer(b)[1 + place]
            if invoke(call[DICT_SET], made, key, stack[place]) & 0xFFFFFFFF != 0:
                invoke(call[DECREF], made)
                return 0
        for place in range(a if made != 0 else 0):
            invoke(call[DECREF], stack[place])
    elif kind == NEW_LIST:
        made = invoke(call[LIST_NEW], a)
        if made != 0:
            start = i64_pointer(i64_pointer(made)[HEADER + 1])
            for place in range(a):
                start[place] = stack[place]
    elif kind == NEW_TUPLE:
        if b == call[TUPLE]:
            made = invoke(call[TUPLE_NEW], a)
        else:
            made = invoke(call[ALLOC], b, a)
        for place in range(a if made != 0 else 0):
            i64_pointer(made)[ITEMS + place] = stack[place]
    elif kind == NEW_OBJECT:
        made = invoke(call[ALLOC], b, 0)
        for place in range(a if made != 0 else 0):
            i64_pointer(made)[HEADER + place] = stack[place]
    else:
        invoke(call[INCREF], made)
    return made

def build(api, recipe, frame):
    # The result: parts push objects to the stack, containers take theirs from it.
    fields = i64_pointer(recipe)
    parts = i64_pointer(fields[PARTS])
    top = 0
    for number in range(fields[PART_COUNT]):
        kind = parts[3 * number]
        a = parts[3 * number + 1]
        b = parts[3 * number + 2]
        taken = 0 if kind == LEAF or kind == CONSTANT else a
        items = frame + fields[STACK] + 8 * (top - taken)
        made = make_part(api, recipe, frame, kind, a, b, items)
        if made == 0:
            return give_up(api, recipe, frame, top)
        i64_pointer(items)[0] = made
        top += 1 - taken
    return i64_pointer(frame + fields[STACK])[0]

def compute(api, recipe, frame):
    # Run the program; for long ones without the GIL, the arguments held.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    held = i64_pointer(frame + fields[HELD])
    run, program, steps = call[RUN], fields[PROGRAM], fields[STEPS]
    if fields[LONG] == 0:
        return invoke(run, program, steps, frame + 8, 0, 0)
    for number in range(fields[ROW_COUNT]):
        invoke(call[INCREF], held[number])
    state = invoke(call[RELEASE])
    status = invoke(run, program, steps, frame + 8, 0, 0)
    invoke(call[RESTORE], state)
    for number in range(fields[ROW_COUNT]):
        invoke(call[DECREF], held[number])
    return status

def follow(api, recipe, frame):
    # The result of the call, NotImplemented, or 0 where Python's error is set. What
    # must not be written to before all of it is known is computed elsewhere.
    fields = i64_pointer(recipe)
    call = i64_pointer(api)
    met = 0
    aside = 1
    if fields[OUT] != 0 or fields[BACK_COUNT] != 0:
        met = meeting(recipe, frame)
    if fields[OUT] != 0:
        aside = met + fields[CHECKED]
    result = call[NOT_IMPLEMENTED]
    if met == 2:
        invoke(call[INCREF], result)
        return result
    if aside != 0:
        if not allocate(api, recipe, frame):
            return 0
    status = compute(api, recipe, frame)
    if status == 0:
        if fields[OUT] == 0:
            write_back(api, recipe, frame)
            return build(api, recipe, frame)
        if aside != 0:
            deliver(api, recipe, frame)
        result = i64_pointer(frame + fields[HELD])[fields[ROW_COUNT]]
    if aside != 0:
        drop(api, frame + fields[OBJECTS], fields[OUTPUT_COUNT])
    invoke(call[INCREF], result)
    return result

@written_out
def kernel(self, call):
    api = self[HEADER]
    length = survey(api, call[ITEMS], call[ITEMS + 1])
    recipe = 0
    if length != 0:
        recipe = find(api, length)
    if recipe != 0:
        fields = i64_pointer(recipe)
        frame = fields[FRAME]
        if fill(api, recipe, frame):
            fields[BUSY] = 1
            fields[USED] = 1
            owner = fields[OWNER]
            invoke(i64_pointer(api)[INCREF], owner)
            result = follow(api, recipe, frame)
            fields[BUSY] = 0
            invoke(i64_pointer(api)[DECREF], owner)
            return result
    invoke(i64_pointer(api)[INCREF], i64_pointer(api)[NOT_IMPLEMENTED])
    return i64_pointer(api)[NOT_IMPLEMENTED]
"""
