package archive

const (
	firstBlock = 16 << 10
	largeBlock = 512 << 10
)

// blocks collects a chunk's bytes. Unlike a buffer that doubles, it never holds more than one block too many while it
// grows, and its content is copied only once.
type blocks struct {
	full [][]byte
	last []byte
	size int64
}

// Write keeps p. It never fails.
func (b *blocks) Write(p []byte) (int, error) {
	n := len(p)
	b.size += int64(n)
	for len(p) > 0 {
		if len(b.last) == cap(b.last) {
			b.grow()
		}
		fit := min(len(p), cap(b.last)-len(b.last))
		b.last = append(b.last, p[:fit]...)
		p = p[fit:]
	}
	return n, nil
}

func (b *blocks) grow() {
	if len(b.last) > 0 {
		b.full = append(b.full, b.last)
	}
	b.last = make([]byte, 0, min(max(2*cap(b.last), firstBlock), largeBlock))
}

// take returns everything in one piece of exactly its size, and lets the blocks go.
func (b *blocks) take() []byte {
	body := make([]byte, 0, b.size)
	for i, block := range b.full {
		body = append(body, block...)
		b.full[i] = nil
	}
	body = append(body, b.last...)
	b.full, b.last = nil, nil
	return body
}
