//! The instructions that a pickle may use.
//!
//! They are those that protocols 2 to 5 write for what a checkpoint holds. Those of protocols 0
//! and 1 that PyTorch never writes are refused, as are those that import by number or make
//! instances by name (`INST`, `OBJ`, `EXT1`).

use std::collections::HashMap;

use super::reader::Reader;
use super::value::{Heap, Node, Value};
use super::{calls, globals};

/// The value of the pickle that `data` begins with, its heap, and where it ends.
pub(crate) fn load(data: &[u8]) -> Result<(Value<'_>, Heap<'_>, usize), String> {
    let mut machine =
        Machine { heap: Heap::new(), stack: vec![], marks: vec![], memo: HashMap::new() };
    let mut reader = Reader::new(data);
    loop {
        if let Some(value) = machine.step(&mut reader)? {
            return Ok((value, machine.heap, reader.at()));
        }
    }
}

struct Machine<'a> {
    heap: Heap<'a>,
    stack: Vec<Value<'a>>,
    /// The stack heights at which tuples and the like begin.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
}

impl<'a> Machine<'a> {
    /// Executes one instruction. A value ends the pickle.
    fn step(&mut self, reader: &mut Reader<'a>) -> Result<Option<Value<'a>>, String> {
        match reader.u8()? {
            // PROTO, FRAME
            0x80 => {
                let protocol = reader.u8()?;
                if !(1..=5).contains(&protocol) {
                    return Err(format!("refused: pickle protocol {protocol}; 2 to 5 are known"));
                }
            }
            0x95 => {
                reader.u64()?;
            }
            b'.' => return self.pop().map(Some),

            // Plain values.
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Inert("bool"))?,
            b'J' => {
                let value = reader.i32()?;
                self.push(Value::Int(value.into()))?;
            }
            b'K' => {
                let value = reader.u8()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = reader.u16()?;
                self.push(Value::Int(value.into()))?;
            }
            0x8a => {
                let n = reader.u8()?;
                self.push(integer(reader.bytes(n)?))?;
            }
            0x8b => {
                let n = reader.u32()?;
                self.push(integer(reader.bytes(n)?))?;
            }
            b'G' => {
                reader.u64()?;
                self.push(Value::Inert("float"))?;
            }
            b'X' => {
                let n = reader.u32()?;
                self.push(Value::Str(reader.text(n)?))?;
            }
            0x8c => {
                let n = reader.u8()?;
                self.push(Value::Str(reader.text(n)?))?;
            }
            0x8d => {
                let n = reader.u64()?;
                self.push(Value::Str(reader.text(n)?))?;
            }
            // Python 2 wrote its texts as bytes: T and U.
            b'T' => {
                let n = reader.u32()?;
                self.push(text_or_bytes(reader.bytes(n)?))?;
            }
            b'U' => {
                let n = reader.u8()?;
                self.push(text_or_bytes(reader.bytes(n)?))?;
            }
            b'B' => {
                let n = reader.u32()?;
                reader.bytes(n)?;
                self.push(Value::Inert("bytes"))?;
            }
            b'C' => {
                let n = reader.u8()?;
                reader.bytes(n)?;
                self.push(Value::Inert("bytes"))?;
            }
            0x8e | 0x96 => {
                let n = reader.u64()?;
                reader.bytes(n)?;
                self.push(Value::Inert("bytes"))?;
            }

            // The stack and the memo.
            b'(' => {
                self.heap.charge(size_of::<usize>())?;
                self.marks.push(self.stack.len());
            }
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'q' => {
                let i = reader.u8()?;
                self.remember(i.into())?;
            }
            b'r' => {
                let i = reader.u32()?;
                self.remember(i)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let i = reader.u8()?;
                self.recall(i.into())?;
            }
            b'j' => {
                let i = reader.u32()?;
                self.recall(i)?;
            }

            // Containers.
            b')' => self.make(Node::Tuple(vec![]))?,
            b']' | 0x8f => self.make(Node::List(vec![]))?,
            b'}' => self.make(Node::Dict(vec![]))?,
            b't' => {
                let items = self.pop_mark()?;
                self.make(Node::Tuple(items))?;
            }
            n @ 0x85..=0x87 => {
                let items = self.pop_n((n - 0x84).into())?;
                self.make(Node::Tuple(items))?;
            }
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.make(Node::List(items))?;
            }
            b'd' => {
                let items = pairs(&self.pop_mark()?)?;
                self.make(Node::Dict(items))?;
            }
            b'a' => {
                let items = self.pop_n(1)?;
                self.extend(items)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let items = self.pop_n(2)?;
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }

            // Other values.
            b'c' => {
                let (module, name) = (reader.line()?, reader.line()?);
                self.name(module, name)?;
            }
            0x93 => {
                let name = self.pop()?;
                let (Value::Str(module), Value::Str(name)) = (self.pop()?, name) else {
                    return Err("refused: it asks for a thing whose name is not text".into());
                };
                self.name(module, name)?;
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                let value = calls::call(&mut self.heap, function, arguments)?;
                self.push(value)?;
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.pop()?;
                calls::build(&mut self.heap, object, state)?;
                self.push(object)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let value = calls::storage(&mut self.heap, id)?;
                self.push(value)?;
            }
            other => return Err(unknown(other)),
        }
        Ok(None)
    }

    /// Pushes what a name means.
    fn name(&mut self, module: &'a str, name: &'a str) -> Result<(), String> {
        let value = match globals::find(module, name) {
            Some(known) => Value::Global(known),
            None => self.heap.add_opaque((module, name))?,
        };
        self.push(value)
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.heap.charge(size_of::<Value<'_>>())?;
        self.stack.push(value);
        Ok(())
    }

    fn make(&mut self, node: Node<'a>) -> Result<(), String> {
        let value = self.heap.add(node)?;
        self.push(value)
    }

    /// The number of values above the last mark.
    fn free(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        let value = if self.free() > 0 { self.stack.pop() } else { None };
        value.ok_or_else(underflow)
    }

    fn pop_n(&mut self, n: usize) -> Result<Vec<Value<'a>>, String> {
        if self.free() < n {
            return Err(underflow());
        }
        Ok(self.stack.split_off(self.stack.len() - n))
    }

    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<Value<'a>, String> {
        let top = if self.free() > 0 { self.stack.last() } else { None };
        top.copied().ok_or_else(underflow)
    }

    fn remember(&mut self, i: u32) -> Result<(), String> {
        let top = self.top()?;
        self.heap.charge(2 * size_of::<(u32, Value<'_>)>())?;
        self.memo.insert(i, top);
        Ok(())
    }

    fn recall(&mut self, i: u32) -> Result<(), String> {
        let value = self.memo.get(&i).copied();
        self.push(value.ok_or("its pickle recalls what it never remembered")?)
    }

    fn extend(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        self.heap.charge(size_of_val(&items[..]))?;
        let list = self.top()?;
        match self.heap.get_mut(list) {
            Some(Node::List(list)) => list.extend(items),
            // A kind of list that is not known.
            Some(Node::Opaque(_)) => {}
            _ => return Err("its pickle adds to what is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), String> {
        self.heap.charge(size_of_val(items))?;
        let dict = self.top()?;
        match self.heap.get_mut(dict) {
            Some(Node::Dict(dict)) => dict.extend(pairs(items)?),
            Some(Node::Opaque(opaque)) => opaque.items.extend(pairs(items)?),
            // A counter or another plain value.
            None if matches!(dict, Value::Inert(_)) => {}
            _ => return Err("its pickle sets items of what is no dict".into()),
        }
        Ok(())
    }
}

fn underflow() -> String {
    "its pickle takes more than it made; fetch it again".into()
}

fn pairs<'a>(items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, String> {
    let (pairs, rest) = items.as_chunks();
    if !rest.is_empty() {
        return Err("its pickle has a key without a value".into());
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

/// A little-endian integer of any length.
fn integer(bytes: &[u8]) -> Value<'static> {
    if bytes.len() > size_of::<i64>() {
        return Value::Inert("int");
    }
    let negative = bytes.last().is_some_and(|&b| b >= 0x80);
    let mut whole = [if negative { 0xff } else { 0 }; size_of::<i64>()];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

fn text_or_bytes(bytes: &[u8]) -> Value<'_> {
    str::from_utf8(bytes).map_or(Value::Inert("bytes"), Value::Str)
}

/// Why an instruction is refused.
fn unknown(opcode: u8) -> String {
    let name = match opcode {
        b'I' => "INT",
        b'L' => "LONG",
        b'F' => "FLOAT",
        b'S' => "STRING",
        b'V' => "UNICODE",
        b'g' => "GET",
        b'p' => "PUT",
        b'2' => "DUP",
        b'P' => "PERSID",
        b'i' => "INST",
        b'o' => "OBJ",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x92 => "NEWOBJ_EX",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => return format!("its pickle has no instruction {opcode:#04x}; fetch it again"),
    };
    format!("refused: its pickle uses the instruction {name}, which no checkpoint needs")
}
