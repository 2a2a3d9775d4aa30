package schedule_test

import (
	"slices"
	"strings"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/verify"
)

// compare proves that the archive is whole and holds what was to be had.
func (m *sim) compare() {
	ctx := m.t.Context()
	if m.dissolved {
		if m.chain.genesis != nil && m.chain.next > m.chain.genesis.FirstLo && m.chain.listed != m.chain.next {
			m.fail("of the dissolved group, [%d, %d] is not listed", m.chain.listed, m.chain.next-1)
		}
	} else if newest := m.newestMessage(); newest > 0 && m.chain.next <= newest {
		m.fail("archived up to %d, the newest message is %d", m.chain.next-1, newest)
	}
	if m.chain.genesis == nil {
		return
	}
	report, err := verify.Stream(ctx, m.store, m.stream, verify.Options{SDKAppID: simAppID})
	if err != nil || !report.Sound() {
		m.fail("the archive is not sound: %v %v", err, report.Findings)
	}
	lines, err := m.chain.lines(func(key string) []byte {
		body, _, err := m.store.Get(ctx, key)
		m.must(err)
		return body
	})
	m.must(err)
	if m.files != nil {
		m.compareFiles(lines)
	}
	m.compareLooks(lines)
	all, _, err := m.truth.Truth(m.stream)
	m.must(err)
	splice := `{"GroupId":"` + m.stream.GroupID + `",`
	for r := range all {
		if r.JSON == nil || r.Class == chat.ClassPlaceholder {
			continue // no message
		}
		if r.Seq < m.chain.genesis.FirstLo {
			if expired := m.expired(r.Seq); expired.IsZero() || expired.After(m.chain.begun) {
				m.fail("seq %d is below the archive, and had not expired when that began", r.Seq)
			}
			continue
		}
		chunk, ok := m.chain.at(r.Seq)
		if !ok {
			continue // beyond what a dissolved group left
		}
		line, there := lines[r.Seq]
		got := there && line.Retained()
		if there && line.Malformed {
			if !m.bad[r.Seq] && m.expired(r.Seq).IsZero() {
				m.fail("seq %d can be read, and is malformed", r.Seq)
			}
			continue
		}
		expired, versions := m.expired(r.Seq), m.versions(r, time.Time{}, chunk.at)
		was := func(match func(simState) bool) bool { return slices.ContainsFunc(versions, match) }
		switch {
		case got && !was(func(s simState) bool {
			return s.json != "" && strings.TrimSuffix(string(line.JSON), "\n") == splice+s.json[1:]
		}):
			m.fail("seq %d is archived as %s, not as %s", r.Seq, line.JSON, r.JSON)
		case !got && !was(func(s simState) bool { return s.class == chat.ClassAbsent }) && (expired.IsZero() || expired.After(chunk.at)):
			m.fail("seq %d is missing; it could be had until after its chunk [%d, %d] was stored", r.Seq, chunk.Lo, chunk.Hi)
		}
	}
}

// afford proves that what went wrong cost no more than it had to. A batch may pull in vain what it has under way and one
// chunk, and look for where the history begins; a message that cannot be read may cost a dozen; a disturbance may make some batches fail, but not set others going.
func (m *sim) afford() {
	useful, wasted := int(m.newest()/chat.PageSize)+1+12*len(m.bad), 60*m.stats.Batches+12*len(m.bad)
	if m.setting.Look {
		useful *= 2
	}
	if m.setting.Quirks == (chatemu.Quirks{}) && m.stats.Pages > useful+wasted {
		m.fail("%d batches asked for %d pages, of which %d would have done", m.stats.Batches, m.stats.Pages, useful)
	}
	if most := 20 + m.extra + 10*len(m.setting.Disturbances); m.stats.Batches-m.stats.Continued > most {
		m.fail("%d batches, %d of which handed on; %d disturbances may cost %d", m.stats.Batches, m.stats.Continued, len(m.setting.Disturbances), most)
	}
}

// newestMessage returns the seq of the newest message that is still there, 0 if there is none.
func (m *sim) newestMessage() (newest chat.Seq) {
	all, _, err := m.truth.Truth(m.stream)
	m.must(err)
	for r := range all {
		if r.JSON != nil && r.Class != chat.ClassPlaceholder && m.expired(r.Seq).IsZero() {
			newest = r.Seq
		}
	}
	return newest
}

// expired returns when a seq expired or was deleted, the zero time if it is still there.
func (m *sim) expired(seq chat.Seq) time.Time {
	at := m.deleted[seq]
	for _, move := range m.floors {
		if seq < move.floor && (at.IsZero() || move.at.Before(at)) {
			return move.at
		}
	}
	return at
}
