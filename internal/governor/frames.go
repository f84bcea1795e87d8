package governor

import "encoding/binary"

// maxMessage is the longest message of a WebSocket that is read; longer ones pass
// unread.
const maxMessage = 1 << 20

// frames reads the frames of one direction of a WebSocket as they pass; RFC 6455.
// It changes nothing, and what it does not understand it lets pass.
type frames struct {
	// message receives each whole text message; it must not keep it.
	message func([]byte)

	head    []byte // Of the frame that begins, while it is not complete.
	left    uint64 // Of the payload of the current frame.
	mask    [4]byte
	masked  bool
	at      int // In the mask.
	text    bool
	control bool
	final   bool
	long    bool // The message is too long to be read.
	payload []byte
}

func (f *frames) see(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := int(min(uint64(len(b)), f.left))
			f.take(b[:n])
			b = b[n:]
			f.left -= uint64(n)
			if f.left == 0 {
				f.end()
			}
			continue
		}
		f.head = append(f.head, b[0])
		b = b[1:]
		if f.begin() && f.left == 0 {
			f.end()
		}
	}
}

// begin reads the head, and is false while it is not complete.
func (f *frames) begin() bool {
	h := f.head
	if len(h) < 2 {
		return false
	}
	size, need := uint64(h[1]&0x7f), 2
	switch size {
	case 126:
		need = 4
	case 127:
		need = 10
	}
	f.masked = h[1]&0x80 != 0
	start := need
	if f.masked {
		need += 4
	}
	if len(h) < need {
		return false
	}
	switch start {
	case 4:
		size = uint64(binary.BigEndian.Uint16(h[2:]))
	case 10:
		size = binary.BigEndian.Uint64(h[2:])
	}
	if f.masked {
		f.mask = [4]byte(h[start:])
	}
	const text, continuation, firstControl = 1, 0, 8
	opcode := h[0] & 0x0f
	f.final = h[0]&0x80 != 0
	f.control = opcode >= firstControl
	if !f.control && opcode != continuation {
		f.text, f.long, f.payload = opcode == text, false, f.payload[:0]
	}
	f.left, f.at, f.head = size, 0, f.head[:0]
	return true
}

func (f *frames) take(b []byte) {
	if f.control || !f.text || f.long {
		return
	}
	if len(f.payload)+len(b) > maxMessage {
		f.long, f.payload = true, nil
		return
	}
	from := len(f.payload)
	f.payload = append(f.payload, b...)
	if !f.masked {
		return
	}
	for i := range f.payload[from:] {
		f.payload[from+i] ^= f.mask[f.at%4]
		f.at++
	}
}

func (f *frames) end() {
	if f.control || !f.final || !f.text {
		return
	}
	if !f.long && len(f.payload) > 0 {
		f.message(f.payload)
	}
	f.text = false
}
