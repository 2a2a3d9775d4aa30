package conversation

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// Kinds of messages that can be searched for, beside those of parts.
const (
	KindEdited   = "edited"
	KindRecalled = "recalled" // before or after it was archived
	KindDeleted  = "deleted"  // after it was archived, or no longer returned
	KindFound    = "found"
)

// Kinds returns what Wanted.Kind may be.
func Kinds() []string {
	return []string{
		string(PartText), string(PartImage), string(PartSound), string(PartVideo), string(PartFile), string(PartMerged), string(PartCustom),
		string(PartLocation), string(PartTip), string(PartMalformed), KindEdited, KindRecalled, KindDeleted, KindFound,
	}
}

// Wanted is what is searched for. All that is set must fit.
type Wanted struct {
	Words        []string // each is somewhere in the message's texts, names of files included; case does not count
	Sender       string   // is in the sender's id or name; case does not count
	Since, Until int64    // times in seconds since 1970, Since included, Until not; 0 for open ends
	Kind         string   // one of Kinds; empty for all
	After        chat.Seq // only behind this seq
}

// Hit is a message that was found.
type Hit struct {
	Message *Message
	Before  *Brief // the message before it in its chunk, and the one behind; nil where there is none
	After   *Brief
}

// Brief is a line of a message, to tell what a hit is about.
type Brief struct {
	From Person
	Text string
}

// Searched is what a search has read.
type Searched struct {
	Messages int64
	Last     chat.Seq // all up to here was searched
	Unread   []Gap    // chunks, or looks at them, that could not be read: nobody knows what is in them
}

// Search visits what it finds in a conversation, oldest first, as it is found. An error of visit ends it and is returned as it
// is; all others are the store's, or the context's. It reads the chunks that may hold something and keeps none of them.
func (c *Conversation) Search(ctx context.Context, w Wanted, visit func(Hit) error) (Searched, error) {
	var done Searched
	for i := range w.Words {
		w.Words[i] = strings.ToLower(w.Words[i])
	}
	w.Sender = strings.ToLower(w.Sender)
	for _, k := range c.Chunks {
		if k.Hi <= w.After || !w.wants(&k) {
			continue
		}
		s := &search{Wanted: w, talk: c, visit: visit, done: &done, unpacked: unpacked{chunk: k}}
		err := s.chunk(ctx)
		switch {
		case err == nil:
		case catalog.Damaged(err) || errors.Is(err, objstore.ErrNotExist):
			done.Unread = append(done.Unread, Gap{Lo: k.Lo, Hi: k.Hi, Kind: GapDamaged, Why: err.Error()})
		default:
			return done, err
		}
		done.Last = k.Hi
	}
	return done, nil
}

// wants reports whether a chunk may hold something, as far as its description tells.
func (w *Wanted) wants(k *Chunk) bool {
	if !(catalog.Range{Since: w.Since, Until: w.Until}).Wants(&k.ChunkEntry) && k.Absent == 0 {
		return false
	}
	switch w.Kind {
	case string(PartImage), string(PartSound), string(PartVideo), string(PartFile):
		return k.Links > 0 || k.Recalled > 0
	case string(PartTip):
		return k.System > 0
	case string(PartMalformed):
		return k.Malformed > 0
	}
	return true
}

// search is one chunk's.
type search struct {
	Wanted
	unpacked

	talk  *Conversation
	visit func(Hit) error
	done  *Searched

	links   *account
	late    []chat.Seq // found by a look where there was no line, that are still to come
	before  []byte     // the last message's line
	waiting *Hit       // until it is known what follows
}

func (s *search) chunk(ctx context.Context) error {
	if err := s.look(ctx, s.talk); err != nil {
		return err
	}
	if k := s.unpacked.chunk; s.trail != "" {
		s.done.Unread = append(s.done.Unread, Gap{Lo: k.Lo, Hi: k.Hi, Kind: GapDamaged, Why: "only as archived: " + s.trail})
	}
	if (s.Kind == KindEdited || s.Kind == KindDeleted || s.Kind == KindFound) && len(s.changes) == 0 {
		return nil
	}
	for _, e := range s.entries {
		if s.changes[e.seq].Was == "" { // there is no line
			s.late = append(s.late, e.seq)
		}
	}
	s.links = newAccount(ctx, s.talk, &s.unpacked)
	defer s.links.close()
	err := catalog.Lines(ctx, s.talk.reader.store, s.talk.Stream, s.unpacked.chunk.ChunkEntry, func(e chat.Element) error {
		if err := s.found(e.Seq); err != nil {
			return err
		}
		s.done.Messages++
		if s.done.Messages%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return s.element(&e)
	})
	if err == nil {
		err = s.found(chat.MaxSeq + 1)
	}
	return errors.Join(err, s.flush())
}

// found takes what looks found below a seq.
func (s *search) found(below chat.Seq) error {
	for len(s.late) > 0 && s.late[0] < below {
		seq := s.late[0]
		s.late = s.late[1:]
		if err := s.take(entry{seq: seq, off: -1}, nil, s.changes[seq]); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) element(e *chat.Element) error {
	if class := e.Class(); class == chat.ClassPlaceholder && s.changes[e.Seq] == nil {
		return nil
	}
	if e.System {
		names := map[string]nick{}
		nicknames(e, names)
		s.talk.learned.add(names)
	}
	if s.waiting != nil {
		s.waiting.After = s.talk.brief(e.JSON)
		if err := s.flush(); err != nil {
			return err
		}
	}
	err := s.take(entry{seq: e.Seq}, e, s.changes[e.Seq])
	s.before = append(s.before[:0], e.JSON...)
	return err
}

// take matches a message, as it was archived and as it was seen later.
func (s *search) take(at entry, e *chat.Element, change *archive.ChangeLine) error {
	if at.seq <= s.Wanted.After || !s.fits(e, change) {
		return nil
	}
	var line []byte
	if e != nil {
		line = bytes.Clone(e.JSON)
	}
	m, err := s.talk.message(at, line, change, s.links)
	if err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.waiting = &Hit{Message: m}
	if len(s.before) > 0 {
		s.waiting.Before = s.talk.brief(s.before)
	}
	return nil
}

func (s *search) flush() error {
	hit := s.waiting
	if s.waiting = nil; hit == nil {
		return nil
	}
	return s.visit(*hit)
}

func (s *search) fits(e *chat.Element, change *archive.ChangeLine) bool {
	kind := ""
	if change != nil {
		kind = change.Kind
	}
	if e != nil && s.matches(e, kind) {
		return true
	}
	if change == nil || len(change.Now) == 0 {
		return false
	}
	now, err := chat.ScanElement(change.Now)
	return err == nil && s.matches(&now, kind)
}

// matches judges an element, cheapest question first.
func (s *search) matches(e *chat.Element, change string) bool {
	if s.Since != 0 && e.Time < s.Since || s.Until != 0 && (e.Time >= s.Until || e.Time == 0) {
		return false
	}
	v := e.Value()
	body := v.Member("MsgBody")
	return s.isKind(e, body, change) && s.from(v) && s.says(e, body)
}

func (s *search) isKind(e *chat.Element, body chat.Value, change string) bool {
	switch s.Kind {
	case "":
		return true
	case string(PartTip):
		return e.System
	case string(PartMalformed):
		return e.Malformed
	case KindEdited, KindFound:
		return change == s.Kind
	case KindDeleted:
		return change == archive.ChangeDeleted || change == archive.ChangeMissing
	case KindRecalled:
		return change == archive.ChangeRecalled || e.Class() == chat.ClassRecalled
	}
	found := false
	if !e.System {
		body.Each(func(_ int, part chat.Value) {
			found = found || kindOf(part.Member("MsgType").Text()) == PartKind(s.Kind)
		})
	}
	return found
}

func (s *search) from(v chat.Value) bool {
	if s.Sender == "" {
		return true
	}
	id := v.Member("From_Account").Text()
	return contains(id, s.Sender) || contains(v.Member("From_AccountNick").Text(), s.Sender) || contains(s.talk.Person(id).Name, s.Sender)
}

func contains(text, lower string) bool { return strings.Contains(strings.ToLower(text), lower) }

// says reports whether all words are in an element's texts.
func (s *search) says(e *chat.Element, body chat.Value) bool {
	if len(s.Words) == 0 {
		return true
	}
	missing := slices.Clone(s.Words)
	take := func(text string) bool {
		text = strings.ToLower(text)
		missing = slices.DeleteFunc(missing, func(word string) bool { return strings.Contains(text, word) })
		return len(missing) > 0
	}
	if e.System && body.IsObject() {
		return !take(tip(body, s.talk.Person))
	}
	return !texts(body, 0, take)
}

// texts gives take the texts of a body until it has enough, and reports whether it has not.
func texts(body chat.Value, depth int, take func(string) bool) bool {
	more := true
	body.Each(func(_ int, part chat.Value) {
		if !more {
			return
		}
		c := part.Member("MsgContent")
		switch kindOf(part.Member("MsgType").Text()) {
		case PartText:
			more = take(c.Member("Text").Text())
		case PartFile:
			more = take(c.Member("FileName").Text())
		case PartLocation:
			more = take(c.Member("Desc").Text())
		case PartCustom:
			more = take(c.Member("Desc").Text()) && take(c.Member("Data").Text()) && take(c.Member("Ext").Text())
		case PartMerged:
			more = take(c.Member("Title").Text())
			if depth < maxRelayDepth {
				c.Member("MsgList").Each(func(_ int, m chat.Value) {
					more = more && texts(m.Member("MsgBody"), depth+1, take)
				})
			}
			c.Member("AbstractText").Each(func(_ int, line chat.Value) { more = more && take(line.Text()) })
		case PartUnknown:
			more = take(string(c))
		default: // has no text
		}
	})
	return more
}

// brief is a line's sender and the beginning of its text.
func (c *Conversation) brief(line []byte) *Brief {
	const most = 160
	e, err := chat.ScanElement(line)
	if err != nil {
		return nil
	}
	v := e.Value()
	b := &Brief{From: c.Person(v.Member("From_Account").Text())}
	body := v.Member("MsgBody")
	if e.System && body.IsObject() {
		b.From, b.Text = Person{}, tip(body, c.Person)
	} else {
		texts(body, 0, func(text string) bool {
			b.Text = strings.TrimSpace(b.Text + " " + text)
			return len(b.Text) < most
		})
	}
	if b.Text == "" {
		body.Each(func(_ int, part chat.Value) { b.Text += "(" + string(kindOf(part.Member("MsgType").Text())) + ") " })
	}
	if len(b.Text) > most {
		b.Text = strings.ToValidUTF8(b.Text[:most], "") + "…"
	}
	return b
}
