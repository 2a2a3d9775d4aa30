package schedule_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/objstore/memstore"
)

// simTrail watches the receipts and the files, as they are stored.
type simTrail struct {
	at       int      // the chunk to which the next receipt belongs, or one before it that needs none
	next     chat.Seq // the first seq of it that no receipt covers
	counted  int64    // its links that have receipts
	last     string   // SHA-256 of the last receipt, of genesis before the first
	receipts map[chat.Seq]string
	blobs    map[string]int64 // their sizes
	lines    []simLine
	parts    int // receipts that end within a chunk
	gone     bool
	orphans  int // receipts of a group that is gone
}

type simLine struct {
	archive.MediaLine
	at time.Time // when the receipt was stored
}

func newSimTrail() simTrail {
	return simTrail{receipts: map[chat.Seq]string{}, blobs: map[string]int64{}}
}

// owes returns the chunk to which the next receipt belongs. The caller holds the chain.
func (c *simChain) owes() (simChunk, bool) {
	t := &c.trail
	for t.at < len(c.chunks) && (c.chunks[t.at].Links == 0 || t.next > c.chunks[t.at].Hi) {
		t.at++
		t.counted = 0
	}
	if t.at == len(c.chunks) || c.chunks[t.at].Hi >= c.listed {
		t.next = max(t.next, c.listed)
		return simChunk{}, false
	}
	t.next = max(t.next, c.chunks[t.at].Lo)
	return c.chunks[t.at], true
}

// owed reports whether a listed link has no receipt.
func (c *simChain) owed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, owed := c.owes()
	return owed
}

func (c *simChain) storedBlob(w memstore.Stored, sum string) {
	if got := sha256.Sum256(w.Write.Body); hex.EncodeToString(got[:]) != sum {
		c.problem("blob %s has other bytes", sum)
	}
	c.trail.blobs[sum] = int64(len(w.Write.Body))
}

func (c *simChain) storedReceipt(w memstore.Stored, lo chat.Seq) {
	t := &c.trail
	told, err := archive.Media().ParseMetadata(w.Write.Metadata)
	if err != nil {
		c.problem("receipt %d: %v", lo, err)
		return
	}
	before := len(t.lines)
	m, err := archive.ReadMediaReceipt(bytes.NewReader(w.Write.Body), func(l archive.MediaLine) error {
		t.lines = append(t.lines, simLine{l, time.Now()})
		return nil
	})
	chunk, owed := c.owes()
	switch {
	case err != nil:
		c.problem("receipt %d: %v", lo, err)
	case m.Lo != lo || told.Lo != lo || told.Hi != m.Hi || told.SHA256 != m.SHA256 || told.Previous != m.Previous || told.Sum() != m.Sum():
		c.problem("receipt %+v under the name %d says in its metadata that it is %+v", m, lo, told)
	case !owed:
		c.problem("receipt [%d, %d], and no manifest lists a link that has none; manifests reach %d", m.Lo, m.Hi, c.listed)
	case lo != t.next || m.Hi > chunk.Hi:
		c.problem("receipt [%d, %d], the next one belongs to [%d, %d]", m.Lo, m.Hi, t.next, chunk.Hi)
	case m.Previous != t.last:
		c.problem("receipt %d follows %s, the last one is %s", lo, m.Previous, t.last)
	}
	for _, l := range t.lines[before:] {
		if l.Seq < m.Lo || l.Seq > m.Hi {
			c.problem("receipt [%d, %d] has a line for %d", m.Lo, m.Hi, l.Seq)
		}
		if size, ok := t.blobs[l.SHA256]; l.State == archive.MediaStored && (!ok || size != l.Bytes) {
			c.problem("receipt %d says that %s is stored with %d bytes; it has %d (%t)", lo, l.SHA256, l.Bytes, size, ok)
		}
	}
	t.counted += m.Sum()
	if t.counted > chunk.Links || m.Hi == chunk.Hi && t.counted != chunk.Links {
		c.problem("receipts up to %d count %d links, chunk [%d, %d] has %d", m.Hi, t.counted, chunk.Lo, chunk.Hi, chunk.Links)
	}
	if t.gone {
		t.orphans++
	}
	if m.Hi < chunk.Hi {
		t.parts++
	}
	t.next, t.last = m.Hi+1, m.SHA256
	t.receipts[lo] = m.SHA256
}

// judgeHint proves that a state is not ahead of the trail.
func (c *simChain) judgeHint(h *archive.TrailHint) {
	if h == nil {
		return
	}
	c.owes()
	if h.Frontier > c.trail.next {
		c.problem("state says that the trail reaches %d, receipts reach %d", h.Frontier, c.trail.next)
	}
	c.judgePin("state", h.After, c.trail.receipts)
}

// judgePin proves that a receipt exists that something names.
func (c *simChain) judgePin(who string, p *archive.Pin, receipts map[chat.Seq]string) {
	if p != nil && receipts[p.Lo] != p.SHA256 {
		c.problem("%s names receipt %d, %s; there is %q", who, p.Lo, p.SHA256, receipts[p.Lo])
	}
}
