package schedule_test

import (
	"fmt"
	"slices"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

type hiddenSeq struct {
	seq   chat.Seq
	until time.Time
}

// floorMove is a moment at which messages expired.
type floorMove struct {
	at    time.Time
	floor chat.Seq
}

// history adds old messages.
func (m *sim) history(n int) {
	messages := make([]chatemu.Message, n)
	seq := m.newest()
	for i := range messages {
		messages[i] = m.message(seq+1+chat.Seq(i), time.Now().Add(-time.Hour))
	}
	if n > 0 {
		m.add(messages...)
	}
}

func (m *sim) message(seq chat.Seq, at time.Time) chatemu.Message {
	if m.files != nil && m.random.IntN(100) < m.setting.Files {
		return m.withFiles(seq, at)
	}
	message := chatemu.Message{Time: at.Unix(), Body: []byte(fmt.Sprintf(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"%d"}}]`, m.random.Uint32()))}
	switch m.random.IntN(20) {
	case 0:
		message.Kind = chatemu.KindSystem
	case 1:
		message.Kind = chatemu.KindRecalled
	case 2:
		message.Kind = chatemu.KindDeleted
	case 3:
		message.Kind = chatemu.KindStoreFail
	}
	return message
}

func (m *sim) add(messages ...chatemu.Message) {
	seq := m.newest()
	m.must(m.chat.Append(m.stream, messages...))
	for range messages {
		if seq++; m.setting.Bad > 0 && m.random.IntN(100) < m.setting.Bad {
			kinds := chatemu.Poisons()
			m.must(m.chat.Poison(m.stream, kinds[m.random.IntN(len(kinds))], seq))
			m.bad[seq] = true
		}
	}
	for i := range messages {
		messages[i].HideFor = 0
	}
	m.must(m.truth.Append(m.stream, messages...))
}

func (m *sim) expire(floor chat.Seq) {
	m.must(m.chat.SetFloor(m.stream, floor))
	m.floors = append(m.floors, floorMove{time.Now(), floor})
}

func (m *sim) newest() chat.Seq {
	_, newest, err := m.truth.Bounds(m.stream)
	m.must(err)
	return newest
}

// grow adds messages, some of which cannot be seen for a while. No more are added than the engine expects to be on
// their way at the same time.
func (m *sim) grow(n int) bool {
	if m.dissolved {
		return true
	}
	newest := m.newest()
	m.hidden = slices.DeleteFunc(m.hidden, func(h hiddenSeq) bool { return !time.Now().Before(h.until) })
	if len(m.hidden) > 0 {
		n = min(n, int(m.hidden[0].seq+38-newest))
	}
	messages := make([]chatemu.Message, 0, 12)
	for i := range n {
		message := m.message(newest+chat.Seq(i)+1, time.Now())
		if m.setting.Hide && m.random.IntN(4) == 0 {
			message.HideFor = time.Duration(m.random.IntN(60)+1) * time.Second
			m.hidden = append(m.hidden, hiddenSeq{newest + chat.Seq(i) + 1, time.Now().Add(message.HideFor)})
		}
		messages = append(messages, message)
	}
	if len(messages) > 0 {
		m.add(messages...)
	}
	return true
}

// expireSome moves the floor up.
func (m *sim) expireSome(pick int) bool {
	if m.dissolved {
		return true
	}
	floor, newest, err := m.chat.Bounds(m.stream)
	m.must(err)
	if room := newest + 1 - floor; room > 0 {
		m.expire(floor + chat.Seq(pick)%room + 1)
	}
	return true
}

// gap leaves a message out of the next answer that it would be in. It is none of those on which alone a batch would conclude
// where the history begins or ends.
func (m *sim) gap(pick int) bool {
	if m.dissolved || m.setting.Quirks != (chatemu.Quirks{}) {
		return true
	}
	floor, newest, err := m.chat.Bounds(m.stream)
	m.must(err)
	if room := newest - floor - 2*chat.PageSize; room > 0 {
		m.must(m.chat.Withhold(m.stream, 1, floor+chat.PageSize+chat.Seq(pick)%room))
	}
	return true
}

// deleteSome deletes a message, often one of the newest.
func (m *sim) deleteSome(pick int) bool {
	newest := m.newest()
	if m.dissolved || newest == 0 {
		return true
	}
	back := chat.Seq(pick)
	if pick%2 == 0 {
		back %= 4
	}
	seq := newest - back%newest
	if _, gone := m.deleted[seq]; gone || m.setting.Look && m.bad[seq] { // what takes its place could not be read, either
		return true
	}
	if before := m.now(seq); m.setting.Look && before.there() {
		m.became(seq, before, simState{class: chat.ClassPlaceholder})
	}
	m.must(m.chat.Delete(m.stream, seq))
	m.deleted[seq] = time.Now()
	return true
}
