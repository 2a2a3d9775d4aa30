package mix

import (
	"net/http"
	"strconv"
	"time"

	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
)

// The states in which a link can end, as receipts name them.
const (
	stored   = "stored"
	gone     = "gone"
	banned   = "banned"
	refused  = "refused"
	tooLarge = "too-large"
	external = "external"
	noURL    = "no-url"
	failed   = "failed"
)

// file is one on its way into a message.
type file struct {
	name   string // of its fortune
	spec   mediaemu.Spec
	said   int64 // the size that the message says, 0 for none
	url    string
	states []string

	hosted *mediaemu.File // nil for what is on no host
}

// fortune is what can be special about a file.
type fortune struct {
	name   string
	weight int
	states []string
	change func(m *Mixer, f *file) // nil for nothing special
	url    func(m *Mixer) string   // of what is on no host; nil for a file of the host
}

// fortunes are those that a stream is filled from.
func fortunes(o Options) []fortune {
	list := append(ordinary(), failing()...)
	list = append(list, elsewhere()...)
	if o.MaxBytes > 0 {
		list = append(list, large()...)
	}
	if o.Slow {
		list = append(list, stalling()...)
	}
	return list
}

// fortune makes a file of a kind, and puts it on the host.
func (m *Mixer) fortune(kind string) file {
	if len(m.made) > 0 && m.oneIn(12) { // a picture that was sent on keeps its URL
		f := m.made[m.IntN(len(m.made))]
		f.name += ", sent on"
		return f
	}
	chosen := m.choose()
	f := file{name: chosen.name, states: chosen.states, spec: m.content(kind)}
	f.said = f.spec.Content.Size()
	if chosen.url != nil {
		f.url = chosen.url(m)
		return f
	}
	if chosen.change != nil {
		chosen.change(m, &f)
	}
	if len(f.states) == 1 && f.states[0] == stored && f.spec.Access == mediaemu.Open && m.oneIn(6) {
		f.name, f.spec.Access = f.name+", signed", mediaemu.Signed403
	}
	f.hosted = m.host.Add(f.spec)
	f.url = f.hosted.URL()
	m.made = append(m.made, f)
	return f
}

// choose draws a fortune, each as often as its weight says.
func (m *Mixer) choose() fortune {
	total := 0
	for _, c := range m.fortunes {
		total += c.weight
	}
	at := m.IntN(total)
	for _, c := range m.fortunes {
		if at -= c.weight; at < 0 {
			return c
		}
	}
	return m.fortunes[0]
}

// content is what people send.
func (m *Mixer) content(kind string) mediaemu.Spec {
	seed := m.Uint64()
	switch kind {
	case "image":
		if m.oneIn(2) {
			return mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(seed)), Type: "image/png"}
		}
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.JPEG(seed)), Type: "image/jpeg"}
	case "thumb":
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.JPEG(seed)), Type: "image/jpeg", Name: "thumb.jpg"}
	case "sound":
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.WAV(seed)), Type: "audio/wav", Name: "voice.wav"}
	case "video":
		return mediaemu.Spec{Content: mediaemu.Generated(seed, 1+m.Int64N(8<<10)), Type: "video/mp4", Name: "video.mp4"}
	default:
		name := []string{"report.pdf", "a b.pdf", "a \"b\" <c>.pdf", "猫瞳 ü.pdf", "../x.pdf"}[m.IntN(5)]
		return mediaemu.Spec{Content: mediaemu.Bytes(sample.PDF(name + " " + strconv.FormatUint(seed, 36))), Type: "application/pdf", Name: name}
	}
}

// change is a fortune's change that concerns the file alone.
func change(f func(*mediaemu.Spec)) func(*Mixer, *file) {
	return func(_ *Mixer, made *file) { f(&made.spec) }
}

func trouble(t ...mediaemu.Trouble) func(*Mixer, *file) {
	return change(func(s *mediaemu.Spec) { s.Troubles = t })
}

// ordinary are files that can be had, at least for some time.
func ordinary() []fortune {
	can := []string{stored}
	return []fortune{
		{name: "as usual", weight: 16, states: can},
		{name: "chunked", weight: 2, states: can, change: change(func(s *mediaemu.Spec) { s.Chunked = true })},
		{name: "no type", weight: 1, states: can, change: change(func(s *mediaemu.Spec) { s.Type = "" })},
		{name: "hostile type", weight: 1, states: can, change: change(func(s *mediaemu.Spec) { s.Type = "text/html" })},
		{name: "cookie", weight: 1, states: can, change: change(func(s *mediaemu.Spec) { s.SetsCookie = true })},
		{name: "empty", weight: 1, states: can, change: func(_ *Mixer, f *file) { f.spec.Content, f.said = mediaemu.Content{}, 0 }},
		{name: "no size said", weight: 2, states: can, change: func(_ *Mixer, f *file) { f.said = 0 }},
		{name: "another size said", weight: 2, states: can, change: func(_ *Mixer, f *file) { f.said += 7 }},
		{name: "same bytes", weight: 2, states: can, change: func(m *Mixer, f *file) {
			if n := len(m.made); n > 0 {
				other := m.made[m.IntN(n)].spec.Content
				if m.MaxBytes == 0 || other.Size() <= m.MaxBytes {
					f.spec.Content, f.said = other, other.Size()
				}
			}
		}},
		{name: "signed 403", weight: 3, states: can, change: change(func(s *mediaemu.Spec) { s.Access = mediaemu.Signed403 })},
		{name: "signed 401", weight: 2, states: can, change: change(func(s *mediaemu.Spec) { s.Access = mediaemu.Signed401 })},
		{name: "moved", weight: 2, states: can, change: func(m *Mixer, f *file) { f.spec.Redirect, f.spec.Hops = mediaemu.RedirectWithin, 1+m.IntN(5) }},
		{name: "503 twice", weight: 2, states: can, change: trouble(mediaemu.Trouble{Times: 2, Status: http.StatusServiceUnavailable})},
		{name: "429 once", weight: 2, states: can, change: trouble(mediaemu.Trouble{Status: http.StatusTooManyRequests})},
		{name: "cut once", weight: 2, states: can, change: trouble(mediaemu.Trouble{Cut: true})},
		{name: "reset once", weight: 2, states: can, change: trouble(mediaemu.Trouble{Reset: true})},
		{name: "expiring", weight: 3, states: []string{stored, gone}, change: func(m *Mixer, f *file) {
			f.spec.ExpiresAt = m.host.Now().Add(time.Duration(m.Int64N(int64(m.Lasts))))
			if m.oneIn(2) {
				f.spec.Access = mediaemu.Signed403
			}
		}},
	}
}

// failing are files that cannot be had.
func failing() []fortune {
	cannot, either := []string{refused}, []string{refused, failed}
	return []fortune{
		{name: "404", weight: 2, states: []string{gone}, change: change(func(s *mediaemu.Spec) { s.Missing = true })},
		{name: "410", weight: 1, states: []string{gone}, change: change(func(s *mediaemu.Spec) { s.Missing, s.GoneStatus = true, http.StatusGone })},
		{name: "signed 404", weight: 1, states: []string{gone}, change: change(func(s *mediaemu.Spec) { s.Missing, s.Access = true, mediaemu.Signed403 })},
		{name: "banned", weight: 2, states: []string{banned}, change: change(func(s *mediaemu.Spec) { s.Banned, s.Access = true, mediaemu.Signed403 })},
		{name: "denied", weight: 1, states: cannot, change: change(func(s *mediaemu.Spec) { s.Access = mediaemu.Denied })},
		{name: "not to be signed", weight: 1, states: cannot, change: change(func(s *mediaemu.Spec) { s.Unsignable, s.Access = true, mediaemu.Signed403 })},
		{name: "sent off the list", weight: 1, states: cannot, change: change(func(s *mediaemu.Spec) { s.Redirect = mediaemu.RedirectOffList })},
		{name: "sent to link-local", weight: 1, states: cannot, change: change(func(s *mediaemu.Spec) { s.Redirect = mediaemu.RedirectLinkLocal })},
		{name: "sent to itself", weight: 1, states: either, change: change(func(s *mediaemu.Spec) { s.Redirect = mediaemu.RedirectLoop })},
		{name: "moved too often", weight: 1, states: either, change: change(func(s *mediaemu.Spec) { s.Redirect, s.Hops = mediaemu.RedirectWithin, 30 })},
		{name: "always cut", weight: 1, states: []string{failed}, change: trouble(mediaemu.Trouble{Times: -1, Cut: true})},
		{name: "always 500", weight: 1, states: []string{failed}, change: trouble(mediaemu.Trouble{Times: -1, Status: http.StatusInternalServerError})},
	}
}

// elsewhere are links to no file of the host.
func elsewhere() []fortune {
	return []fortune{
		{name: "external", weight: 2, states: []string{external}, url: func(m *Mixer) string { return m.host.OffListURL("external.jpg?imageMogr2/") }},
		{name: "other scheme", weight: 1, states: []string{refused}, url: func(*Mixer) string { return "ftp://127.0.0.1/file" }},
		{name: "no url", weight: 2, states: []string{noURL}, url: func(*Mixer) string { return "" }},
	}
}

// large are files that are larger than the function takes, by one byte or by what the message says.
func large() []fortune {
	large := []string{tooLarge}
	content := func(m *Mixer) mediaemu.Content { return mediaemu.Generated(m.Uint64(), m.MaxBytes+1) }
	return []fortune{
		{name: "too large", weight: 1, states: large, change: func(m *Mixer, f *file) { f.spec.Content, f.said = content(m), m.MaxBytes+1 }},
		{name: "too large, not said", weight: 1, states: large, change: func(m *Mixer, f *file) { f.spec.Content, f.said = content(m), 0 }},
		{name: "too large, chunked", weight: 1, states: large, change: func(m *Mixer, f *file) { f.spec.Content, f.said, f.spec.Chunked = content(m), 0, true }},
		{name: "too large, only said", weight: 1, states: large, change: func(m *Mixer, f *file) { f.said = m.MaxBytes + 1 }},
	}
}

// stalling are files that cost seconds before a client gives up.
func stalling() []fortune {
	always := func(s mediaemu.Stall) func(*Mixer, *file) { return trouble(mediaemu.Trouble{Times: -1, Stall: s}) }
	return []fortune{
		{name: "stalls once", weight: 1, states: []string{stored}, change: trouble(mediaemu.Trouble{Stall: mediaemu.StallBody})},
		{name: "stalls before its headers once", weight: 1, states: []string{stored}, change: trouble(mediaemu.Trouble{Stall: mediaemu.StallBefore})},
		{name: "always stalls", weight: 1, states: []string{failed}, change: always(mediaemu.StallBody)},
		{name: "always stalls behind its headers", weight: 1, states: []string{failed}, change: always(mediaemu.StallHeaders)},
		{name: "always stalls before its headers", weight: 1, states: []string{failed}, change: always(mediaemu.StallBefore)},
	}
}
