package schedule_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/trail"
	"chatexport/internal/trail/change"
	"chatexport/internal/trail/media"
)

const (
	// simLook is how long after they were listed chunks are looked at, since their messages are older than that.
	simLook = 12 * time.Minute
	// youngest is how old a message is at least that expires.
	youngest = time.Minute
)

// simLooks watches the receipts of looks, as they are stored.
type simLooks struct {
	at       int      // the chunk to which the next receipt belongs, or one before it that needs none
	next     chat.Seq // the first seq of it that no receipt covers
	last     string   // SHA-256 of the last receipt, of genesis before the first
	pins     map[chat.Seq]string
	receipts []simReceipt
	finished map[chat.Seq]time.Time // of each listed chunk's manifest, by the chunk's first seq
}

type simReceipt struct {
	archive.ReceiptMeta

	lines map[chat.Seq]archive.ChangeLine
}

// owesLook returns the chunk to which the next receipt belongs. The caller holds the chain.
func (c *simChain) owesLook() (simChunk, bool) {
	l := &c.looks
	for l.at < len(c.chunks) && (allExpired(c.chunks[l.at]) || l.next > c.chunks[l.at].Hi) {
		l.at++
	}
	if l.at == len(c.chunks) || c.chunks[l.at].Hi >= c.listed {
		l.next = max(l.next, c.listed)
		return simChunk{}, false
	}
	l.next = max(l.next, c.chunks[l.at].Lo)
	return c.chunks[l.at], true
}

func allExpired(c simChunk) bool { return c.Counts.Expired == int64(c.Hi-c.Lo+1) }

// looksOwed reports whether a listed chunk was not looked at.
func (c *simChain) looksOwed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, owed := c.owesLook()
	return owed
}

func (c *simChain) storedLook(w memstore.Stored, lo chat.Seq) {
	l := &c.looks
	told, err := archive.Change().ParseMetadata(w.Write.Metadata)
	if err != nil {
		c.problem("look %d: %v", lo, err)
		return
	}
	r := simReceipt{lines: map[chat.Seq]archive.ChangeLine{}}
	r.ReceiptMeta, err = archive.ReadChangeReceipt(bytes.NewReader(w.Write.Body), func(line archive.ChangeLine) error {
		line.Now = bytes.Clone(line.Now)
		r.lines[line.Seq] = line
		return nil
	})
	chunk, owed := c.owesLook()
	switch {
	case err != nil:
		c.problem("look %d: %v", lo, err)
	case r.Lo != lo || told.Lo != lo || told.Hi != r.Hi || told.SHA256 != r.SHA256 || told.Previous != r.Previous || r.Sum() != int64(r.Hi-r.Lo+1):
		c.problem("look %+v under the name %d says in its metadata that it is %+v", r.ReceiptMeta, lo, told)
	case !owed || lo != l.next:
		c.problem("look [%d, %d], the next one belongs to %d; manifests reach %d", r.Lo, r.Hi, l.next, c.listed)
	case r.Hi > chunk.Hi && (r.Counts[archive.ChangeExpired] != r.Sum() || !c.ends(r.Hi)):
		c.problem("look [%d, %d], the next one belongs to [%d, %d]", r.Lo, r.Hi, l.next, chunk.Hi)
	case r.Previous != l.last:
		c.problem("look %d follows %s, the last one is %s", lo, r.Previous, l.last)
	}
	for _, listed := range c.chunks {
		due := l.finished[listed.Lo].Add(simLook)
		if listed.Hi >= r.Lo && listed.Lo <= r.Hi && !allExpired(listed) && time.Now().Before(due) {
			c.problem("look [%d, %d], and chunk %d is due at %v", r.Lo, r.Hi, listed.Lo, due)
		}
	}
	l.next, l.last = r.Hi+1, r.SHA256
	l.receipts = append(l.receipts, r)
	l.pins[lo] = r.SHA256
}

// ends reports whether a listed chunk ends with a seq.
func (c *simChain) ends(hi chat.Seq) bool {
	return hi < c.listed && slices.ContainsFunc(c.chunks, func(chunk simChunk) bool { return chunk.Hi == hi })
}

// judgeLooks proves that a state is not ahead of the looks.
func (c *simChain) judgeLooks(h *archive.TrailHint) {
	if h == nil {
		return
	}
	c.owesLook()
	if h.Frontier > c.looks.next {
		c.problem("state says that looks reach %d, receipts reach %d", h.Frontier, c.looks.next)
	}
	c.judgePin("state", h.After, c.looks.pins)
}

// receipts counts those of all trails. The caller holds the chain.
func (c *simChain) receipts() int { return len(c.trail.receipts) + len(c.looks.receipts) }

// lookAgain gives a batch the trail of looks.
func (m *sim) lookAgain(engine *export.Engine) {
	kind := &change.Kind{After: simLook, Retention: youngest}
	for _, other := range engine.Trails {
		kind.Files, _ = other.(*media.Kind)
	}
	engine.Trails = append(engine.Trails, kind)
}

// awaitLooks lets ticks come until every chunk was looked at.
func (m *sim) awaitLooks() {
	const ticks = 20
	for n := 0; m.setting.Look && !m.dissolved && m.chain.looksOwed(); n++ {
		if n == ticks {
			m.fail("after %d ticks with sound services, no look reaches beyond %d of %d", n, m.chain.looks.next, m.chain.listed)
		}
		time.Sleep(max(simLook, trail.RetryAfter) + time.Minute)
		m.extra++
		m.tick(false)
		m.drain()
	}
}

// simState is what the service has of a message from a time on, floors apart.
type simState struct {
	at    time.Time
	class chat.Class
	json  string // the element; empty unless it is known
}

func (s simState) there() bool {
	return s.class != chat.ClassAbsent && s.class != chat.ClassPlaceholder
}

// now returns what the service has of a message.
func (m *sim) now(seq chat.Seq) simState {
	if past := m.past[seq]; len(past) > 0 {
		return past[len(past)-1]
	}
	return m.first(m.sent(seq))
}

// sent returns a message as it was sent, and edited or recalled.
func (m *sim) sent(seq chat.Seq) chatemu.Retained {
	all, _, err := m.truth.Truth(m.stream)
	m.must(err)
	for r := range all {
		if r.Seq == seq {
			return r
		}
	}
	return chatemu.Retained{Seq: seq, Class: chat.ClassAbsent}
}

// first returns what the service had of a message that has not changed.
func (m *sim) first(r chatemu.Retained) simState {
	if m.bad[r.Seq] && r.JSON != nil {
		return simState{class: chat.ClassMalformed}
	}
	return readable(r)
}

func readable(r chatemu.Retained) simState { return simState{class: r.Class, json: string(r.JSON)} }

// became notes what the service has of a message from now on.
func (m *sim) became(seq chat.Seq, before, after simState) {
	if m.past[seq] == nil {
		m.past[seq] = []simState{before}
	}
	after.at = time.Now()
	m.past[seq] = append(m.past[seq], after)
}

// alter changes what the service has of a message, if it is one that this can happen to.
func (m *sim) alter(kind string, pick int) bool {
	newest := m.newest()
	if m.dissolved || newest == 0 {
		return true
	}
	seq := chat.Seq(pick)%newest + 1
	before := m.now(seq)
	if m.files != nil && m.files.links[seq] != nil {
		return true
	}
	switch kind {
	case "edit", "recall":
		if before.class != chat.ClassMessage && before.class != chat.ClassSystem {
			return true
		}
		for _, server := range []*chatemu.Server{m.chat, m.truth} {
			if kind == "recall" {
				m.must(server.Recall(m.stream, seq))
			} else {
				m.must(server.Modify(m.stream, seq, fmt.Appendf(nil, `[{"MsgType":"TIMTextElem","MsgContent":{"Text":"edit %d"}}]`, len(m.past[seq]))))
			}
		}
		m.became(seq, before, readable(m.sent(seq)))
	case "spoil", "heal":
		if kind == "spoil" && m.setting.Bad > 0 && (before.class == chat.ClassMessage || before.class == chat.ClassSystem) {
			m.must(m.chat.Poison(m.stream, chatemu.PoisonControl, seq))
			m.bad[seq] = true
			m.became(seq, before, simState{class: chat.ClassMalformed})
		}
		for bad := seq; bad < seq+50 && kind == "heal"; bad++ {
			if before := m.now(bad); before.class == chat.ClassMalformed {
				m.must(m.chat.Poison(m.stream, "", bad))
				m.became(bad, before, readable(m.sent(bad)))
				break
			}
		}
	case "withhold":
		floor, _, err := m.chat.Bounds(m.stream)
		m.must(err)
		if before.class == chat.ClassMessage && m.setting.Quirks == (chatemu.Quirks{}) && seq >= floor+chat.PageSize && seq+chat.PageSize < newest {
			m.must(m.chat.Withhold(m.stream, 1<<30, seq))
			m.withheld = append(m.withheld, seq)
			m.became(seq, before, simState{class: chat.ClassAbsent})
		}
	case "arrive":
		for _, seq := range m.withheld {
			m.must(m.chat.Withhold(m.stream, 0, seq))
			if before := m.now(seq); before.class == chat.ClassAbsent {
				after := readable(m.sent(seq))
				if _, deleted := m.deleted[seq]; deleted {
					after = simState{class: chat.ClassPlaceholder}
				}
				m.became(seq, before, after)
			}
		}
		m.withheld = nil
	}
	return true
}

// alterSome changes messages before the last looks, so that most schedules have something to find.
func (m *sim) alterSome() {
	kinds := []string{"edit", "edit", "recall", "withhold", "arrive", "spoil", "heal", "delete", "delete", "expire"}
	for n := m.random.IntN(12); m.setting.Look && n > 0; n-- {
		switch kind, pick := kinds[m.random.IntN(len(kinds))], m.random.IntN(1000); {
		case kind == "delete":
			m.deleteSome(pick)
		case kind == "expire" && n == 1:
			m.expireSome(pick)
		default:
			m.alter(kind, pick)
		}
	}
}

// versions returns what the service had of a message, at any time from one to another.
func (m *sim) versions(r chatemu.Retained, from, to time.Time) (versions []simState) {
	past := m.past[r.Seq]
	if past == nil {
		return []simState{m.first(r)}
	}
	for i, s := range past {
		if s.at.Before(to) && (i+1 == len(past) || past[i+1].at.After(from)) {
			versions = append(versions, s)
		}
	}
	return versions
}

// floorAt returns where the retained history began.
func (m *sim) floorAt(at time.Time) chat.Seq {
	floor := chat.Seq(1)
	for _, move := range m.floors {
		if !move.at.After(at) {
			floor = move.floor
		}
	}
	return floor
}

// compareLooks proves that the lines of chunks and the differences of looks, in order, tell what the service had when it was
// asked, and that nothing is called lost that may have expired.
func (m *sim) compareLooks(lines map[chat.Seq]chat.Element) {
	all, _, err := m.truth.Truth(m.stream)
	m.must(err)
	truth := map[chat.Seq]chatemu.Retained{}
	for r := range all {
		truth[r.Seq] = r
	}
	for _, look := range m.chain.looks.receipts {
		from, to := time.Unix(look.From, 0), time.Unix(look.To+1, 0)
		early, late := m.floorAt(from), m.floorAt(to)
		bare := true // nothing from the floor on is there for certain, as far as that can be told
		for seq := early; seq < look.Lo && m.setting.Bad == 0; seq++ {
			bare = bare && !m.certain(truth[seq], late, from, to)
		}
		var must, may int64
		for seq := look.Lo; seq <= look.Hi; seq++ {
			if seq >= early {
				bare = bare && !m.certain(truth[seq], late, from, to)
			}
			line, told := look.lines[seq]
			if told {
				m.compareLook(lines[seq], line, m.versions(truth[seq], from, to), seq < early)
				continue
			}
			now, was := m.versions(truth[seq], from, to), lines[seq]
			same := slices.ContainsFunc(now, func(s simState) bool { return difference(was, s) == archive.ChangeSame })
			expired := seq < late || bare
			same = same || seq < late && difference(was, simState{class: chat.ClassAbsent}) == archive.ChangeSame
			switch {
			case !same && !expired:
				m.fail("look [%d, %d] says nothing of seq %d, which was %q and is one of %v", look.Lo, look.Hi, seq, was.JSON, now)
			case expired && (!same || seq < early && was.Retained() && was.Seq != 0):
				must, may = must+1, may+1
			case expired:
				may++
			}
		}
		n := look.Counts[archive.ChangeExpired]
		if n < must || n > may || look.Counts[archive.ChangeUnread] > 0 {
			m.fail("look [%d, %d] counts %v, of which %d to %d have expired; the floor was %d to %d", look.Lo, look.Hi, look.Counts, must, may, early, late)
		}
		m.stats.Looks++
		m.stats.Expired += int(n)
		m.stats.Changed += len(look.lines)
	}
}

// certain reports whether a message was there all the time.
func (m *sim) certain(r chatemu.Retained, floor chat.Seq, from, to time.Time) bool {
	return r.Seq >= floor && !slices.ContainsFunc(m.versions(r, from, to), func(s simState) bool { return !s.there() })
}

// difference is what became of an archived message; Seq is 0 of one that was absent.
func difference(was chat.Element, now simState) string {
	before := was.Class()
	if was.Seq == 0 {
		before = chat.ClassAbsent
	}
	gone := before == chat.ClassAbsent || before == chat.ClassPlaceholder
	switch {
	case !now.there() && gone:
		return archive.ChangeSame
	case !now.there():
		return "lost"
	case before == now.class && (now.json == "" || before == chat.ClassRecalled || bytes.HasSuffix(bytes.TrimSuffix(was.JSON, []byte("\n")), []byte(now.json[1:]))):
		return archive.ChangeSame
	case before == chat.ClassAbsent || before == chat.ClassMalformed:
		return archive.ChangeFound
	case now.class == chat.ClassRecalled:
		return archive.ChangeRecalled
	default:
		return archive.ChangeEdited
	}
}

// compareLook proves that a difference is one.
func (m *sim) compareLook(was chat.Element, line archive.ChangeLine, now []simState, expired bool) {
	sum := ""
	if was.Seq != 0 {
		raw := sha256.Sum256(bytes.TrimSuffix(was.JSON, []byte("\n")))
		sum = hex.EncodeToString(raw[:])
	}
	lost := line.Kind == archive.ChangeDeleted || line.Kind == archive.ChangeMissing
	right := slices.ContainsFunc(now, func(s simState) bool {
		if lost {
			return difference(was, s) == "lost"
		}
		return difference(was, s) == line.Kind && (s.json == "" || bytes.HasSuffix(line.Now, []byte(s.json[1:])))
	})
	if !right || line.Was != sum {
		m.fail("seq %d is told as %s (was %s), %s; it was %q (%s), and one of %v", line.Seq, line.Kind, line.Was, line.Now, was.JSON, sum, now)
	}
	if expired {
		m.fail("seq %d had expired, and is told as %s", line.Seq, line.Kind)
	}
	for _, file := range line.Media {
		if size, ok := m.chain.trail.blobs[file.SHA256]; file.State == archive.MediaStored && (!ok || size != file.Bytes) {
			m.fail("a new version of seq %d says that %s is stored with %d bytes; it has %d", line.Seq, file.SHA256, file.Bytes, size)
		}
	}
}
