package archive

import (
	"time"

	"chatexport/internal/chat"
)

// Genesis pins where a stream's archive begins. It is written once, before the first chunk, and never changes.
type Genesis struct {
	Format       int          `json:"format"`
	SDKAppID     int          `json:"sdkappid"`
	GroupID      string       `json:"group_id"`
	TopicID      string       `json:"topic_id"`    // empty for a plain group
	CreateTime   int64        `json:"create_time"` // of the group, in seconds since 1970; 0 if unknown
	FirstLo      chat.Seq     `json:"first_lo"`    // the first seq that may still exist; 1 when nothing has expired
	Head         chat.Seq     `json:"head"`        // newest seq when the archive began
	ExpiredBelow ExpiredBelow `json:"expired_below"`
	CreatedAt    time.Time    `json:"created_at"`
}

// ExpiredBelow says below which seq everything had expired, and why that is believed.
type ExpiredBelow struct {
	Seq      chat.Seq `json:"seq"`
	Evidence string   `json:"evidence"` // EvidenceNone, EvidenceFinished or EvidenceProbe
	Probes   int      `json:"probes"`   // pages that were asked for below Seq
}

// Stream returns the stream that the archive is of.
func (g Genesis) Stream() chat.Stream { return chat.Stream{GroupID: g.GroupID, TopicID: g.TopicID} }

// Encode returns the object. The time is stored in UTC, to the millisecond. The error wraps ErrInvalid.
func (g Genesis) Encode() ([]byte, error) {
	g.CreatedAt = utc(g.CreatedAt)
	if err := g.validate(); err != nil {
		return nil, err
	}
	return encode(g)
}

// ParseGenesis reads a genesis back. Members that format 1 does not have are ignored. The error wraps ErrFormat for an
// object of another format, ErrInvalid for anything else. Whether it is the right app's and stream's is for the
// caller to say.
func ParseGenesis(body []byte) (Genesis, error) { return parse(body, Genesis.validate) }

func (g Genesis) validate() error {
	if err := validateFormat(g.Format); err != nil {
		return err
	}
	if err := validateOwner(g.SDKAppID, g.Stream()); err != nil {
		return err
	}
	switch {
	case g.CreateTime < 0:
		return invalid("create_time is %d", g.CreateTime)
	case g.FirstLo < 1 || !isFrontier(g.FirstLo):
		return invalid("first_lo is %d", g.FirstLo)
	case g.Head < 0 || g.Head > chat.MaxSeq:
		return invalid("head is %d", g.Head)
	case g.FirstLo > 1 && g.ExpiredBelow.Evidence == EvidenceNone:
		return invalid("first_lo is %d without evidence that what is below has expired", g.FirstLo)
	}
	if err := g.ExpiredBelow.validate(); err != nil {
		return err
	}
	return validateTime("created_at", g.CreatedAt)
}

func (e ExpiredBelow) validate() error {
	switch {
	case !isFrontier(e.Seq):
		return invalid("expired_below.seq is %d", e.Seq)
	case e.Evidence != EvidenceNone && e.Evidence != EvidenceFinished && e.Evidence != EvidenceProbe:
		return invalid("expired_below.evidence is %q", e.Evidence)
	case e.Probes < 0:
		return invalid("expired_below.probes is %d", e.Probes)
	}
	return nil
}

func validateOwner(sdkAppID int, s chat.Stream) error {
	if sdkAppID < 1 {
		return invalid("sdkappid is %d", sdkAppID)
	}
	if err := s.Validate(); err != nil {
		return invalid("%v", err)
	}
	return nil
}
