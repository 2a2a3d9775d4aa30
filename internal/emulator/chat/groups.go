package chatemu

import (
	"encoding/json"
	"errors"
	"fmt"

	"chatexport/internal/chat"
)

// Errors of the methods that change an app.
var (
	ErrNoGroup = errors.New("no such group or topic")
	ErrExists  = errors.New("the group or topic exists already")
	ErrRange   = errors.New("outside the stream")
)

// Group is a group before it has messages.
type Group struct {
	ID            string
	Type          string // Public (also for ""), Private, Work, ChatRoom, Meeting, Community, AVChatRoom, BChatRoom
	Name          string
	Owner         string
	CreateTime    int64    // seconds since 1970; 0 means 1426976500, the documentation's
	MemberNum     int      // members that get_group_info lists without a filter
	FirstSeq      chat.Seq // first seq that is stored; everything below has expired; 0 means 1
	SupportTopics bool     // a community with topics
}

// Topic is a topic of a community.
type Topic struct {
	GroupID, ID, Name string
	CreateTime        int64
	FirstSeq          chat.Seq
}

type group struct {
	Group
	own       *stream
	topics    []*stream
	dissolved bool
}

func (g *group) noHistory() bool { return g.Type == "AVChatRoom" || g.Type == "BChatRoom" }

func (g *group) topic(id string) *stream {
	for _, st := range g.topics {
		if st.id.TopicID == id {
			return st
		}
	}
	return nil
}

const sampleCreateTime = 1426976500

func newGroup(g Group) *group {
	if g.Type == "" {
		g.Type = "Public"
	}
	if g.CreateTime == 0 {
		g.CreateTime = sampleCreateTime
	}
	return &group{Group: g, own: newStream(chat.Stream{GroupID: g.ID}, g.CreateTime, g.FirstSeq)}
}

// AddGroup adds a group without messages.
func (s *Server) AddGroup(g Group) error {
	if !validGroupID(g.ID) {
		return fmt.Errorf("add group: %w: %q", chat.ErrInvalidStream, g.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.groups[g.ID]; ok {
		return fmt.Errorf("add group %s: %w", g.ID, ErrExists)
	}
	added := newGroup(g)
	s.groups[g.ID] = added
	s.order = append(s.order, added)
	return nil
}

// AddTopic adds a topic without messages to a community.
func (s *Server) AddTopic(t Topic) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.groups[t.GroupID]
	switch {
	case !ok || g.dissolved:
		return fmt.Errorf("add topic %s: %w", t.ID, ErrNoGroup)
	case g.topic(t.ID) != nil:
		return fmt.Errorf("add topic %s: %w", t.ID, ErrExists)
	}
	if t.CreateTime == 0 {
		t.CreateTime = g.CreateTime
	}
	st := newStream(chat.Stream{GroupID: t.GroupID, TopicID: t.ID}, t.CreateTime, t.FirstSeq)
	st.name = t.Name
	g.topics, g.SupportTopics = append(g.topics, st), true
	return nil
}

// DeleteTopic deletes a topic with its history.
func (s *Server) DeleteTopic(id chat.Stream) error {
	return s.with(id, func(*stream) error {
		g := s.groups[id.GroupID]
		for i, st := range g.topics {
			if st.id == id {
				g.topics = append(g.topics[:i:i], g.topics[i+1:]...)
				return nil
			}
		}
		return ErrNoGroup
	})
}

// Dissolve dissolves a group: its history is gone, its id answers 10010.
func (s *Server) Dissolve(groupID string) error {
	return s.with(chat.Stream{GroupID: groupID}, func(*stream) error {
		g := s.groups[groupID]
		g.dissolved, g.own, g.topics = true, nil, nil
		return nil
	})
}

// Recreate puts a new, empty group in the place of one that exists or was dissolved. Its seqs begin at 1 again.
func (s *Server) Recreate(g Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.groups[g.ID]
	if !ok {
		return fmt.Errorf("recreate group %s: %w", g.ID, ErrNoGroup)
	}
	*old = *newGroup(g)
	return nil
}

// with runs f on an existing stream, under the lock.
func (s *Server) with(id chat.Stream, f func(*stream) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.groups[id.GroupID]
	if !ok || g.dissolved {
		return fmt.Errorf("%s: %w", id, ErrNoGroup)
	}
	st := g.own
	if id.TopicID != "" {
		if st = g.topic(id.TopicID); st == nil {
			return fmt.Errorf("%s: %w", id, ErrNoGroup)
		}
	}
	if err := f(st); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return nil
}

// Append adds messages at the end of a stream.
func (s *Server) Append(id chat.Stream, messages ...Message) error {
	return s.with(id, func(st *stream) error {
		if st.newest()+chat.Seq(len(messages)) > chat.MaxSeq {
			return fmt.Errorf("append %d messages: %w", len(messages), ErrRange)
		}
		now := s.opts.Now()
		for i := range messages {
			m := messages[i]
			st.append(&m, now)
		}
		return nil
	})
}

// Generate adds count messages that are made whenever they are asked for, so that millions cost nothing. f must
// depend on the seq alone and must not use the server.
func (s *Server) Generate(id chat.Stream, count int, f func(chat.Seq) Message) error {
	return s.with(id, func(st *stream) error {
		if count < 1 || st.newest()+chat.Seq(count) > chat.MaxSeq {
			return fmt.Errorf("generate %d messages: %w", count, ErrRange)
		}
		st.generate(chat.Seq(count), f)
		return nil
	})
}

// Recall recalls messages.
func (s *Server) Recall(id chat.Stream, seqs ...chat.Seq) error {
	return s.mark(id, KindRecalled, seqs)
}

// Delete deletes messages.
func (s *Server) Delete(id chat.Stream, seqs ...chat.Seq) error { return s.mark(id, KindDeleted, seqs) }

func (s *Server) mark(id chat.Stream, kind Kind, seqs []chat.Seq) error {
	return s.with(id, func(st *stream) error {
		for _, seq := range seqs {
			if seq < st.base || seq > st.newest() {
				return fmt.Errorf("message %d: %w", seq, ErrRange)
			}
			e := st.at(seq)
			e.kind = kind
			st.change(seq, e)
		}
		return nil
	})
}

// Modify gives a message another body, as modify_group_msg does.
func (s *Server) Modify(id chat.Stream, seq chat.Seq, body json.RawMessage) error {
	return s.with(id, func(st *stream) error {
		if seq < st.base || seq > st.newest() {
			return fmt.Errorf("message %d: %w", seq, ErrRange)
		}
		e := st.at(seq)
		members, ok := splitObject(e.element)
		if !ok {
			return fmt.Errorf("message %d has no body: %w", seq, ErrRange)
		}
		for i := range members {
			if members[i].key == "MsgBody" {
				members[i].value = body
			}
		}
		e.element = object(members)
		st.change(seq, e)
		return nil
	})
}

// SetFloor lets everything below a seq expire; newest + 1 lets everything. A lower floor than before brings messages
// back, as a longer retention does, but none below the stream's FirstSeq.
func (s *Server) SetFloor(id chat.Stream, floor chat.Seq) error {
	return s.with(id, func(st *stream) error {
		if floor < st.base || floor > st.next {
			return fmt.Errorf("floor %d: %w", floor, ErrRange)
		}
		st.floor = floor
		return nil
	})
}
