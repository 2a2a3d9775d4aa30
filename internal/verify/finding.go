package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"chatexport/internal/archive"
)

// Kind is what sort of fault a finding is. The names are stable: scripts may test for them.
type Kind string

// The kinds of findings.
const (
	KindGenesis        Kind = "genesis"         // missing although something was archived, invalid, or another stream's or app's
	KindFormat         Kind = "format"          // the object says it is of another format; it was not looked into
	KindGap            Kind = "gap"             // seqs that no chunk covers although later ones are covered
	KindMissingChunk   Kind = "missing_chunk"   // a chunk that a manifest or the listing names cannot be had
	KindOverlap        Kind = "overlap"         // a chunk or receipt within the range of another
	KindForeign        Kind = "foreign"         // an object where none may be
	KindMetadata       Kind = "metadata"        // metadata of a chunk or receipt are incomplete or contradict each other or its key
	KindCRC            Kind = "crc"             // bytes read are not those that the store took
	KindHash           Kind = "hash"            // bytes read are not those that the metadata or the name tell
	KindGzip           Kind = "gzip"            // the object is not exactly one whole gzip member of the expected form
	KindLine           Kind = "line"            // a line is not an element of the stream
	KindOrder          Kind = "order"           // seqs do not ascend within the chunk's range
	KindCounts         Kind = "counts"          // classes, sizes or times of the lines are not those of the metadata, or links of receipts not those of the manifest
	KindManifest       Kind = "manifest"        // a manifest is invalid, or lists a chunk otherwise than it is
	KindManifestChain  Kind = "manifest_chain"  // a manifest does not follow the one before by range and sha256
	KindState          Kind = "state"           // the state is invalid or contradicts itself
	KindStateAhead     Kind = "state_ahead"     // the state is beyond what is archived
	KindMissingReceipt Kind = "missing_receipt" // a receipt that something tells of cannot be had
	KindReceipt        Kind = "receipt"         // a receipt is invalid, or its first line says otherwise than its metadata
	KindReceiptChain   Kind = "receipt_chain"   // a receipt does not follow the one before by sha256, or is not the one that a manifest names
	KindLinks          Kind = "links"           // the lines of a receipt are not the links of its chunk
	KindLook           Kind = "look"            // a line of a look's receipt is not about what its chunk has
	KindMissingBlob    Kind = "missing_blob"    // a file that a receipt says is stored cannot be had
	KindBlob           Kind = "blob"            // a file has another size than a receipt says
	KindVanished       Kind = "vanished"        // the last sweep or a certificate knew what is not there any more, or not the same
)

// The kinds of warnings.
const (
	KindLitter   Kind = "litter"   // a file that a system left in the folder
	KindUnlisted Kind = "unlisted" // a chunk that neither a manifest nor metadata describe, only its content
	// KindImplausible is what is sound and hardly what an export leaves behind: it may have been invented.
	KindImplausible Kind = "implausible"
)

// Finding is one fault, or in a list of warnings one thing that is no fault and that a person should know.
type Finding struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key"`  // of the object, below the archive's prefix
	Text string `json:"text"` // what is wrong; never message content
}

// String returns the finding on one line.
func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Kind, f.Key, f.Text) }

func (v *verifier) add(kind Kind, key, format string, args ...any) {
	v.addTo(&v.report.Findings, kind, key, format, args...)
}

func (v *verifier) warn(kind Kind, key, format string, args ...any) {
	v.addTo(&v.report.Warnings, kind, key, format, args...)
}

func (v *verifier) addTo(list *[]Finding, kind Kind, key, format string, args ...any) {
	if len(*list) >= v.opts.MaxFindings {
		v.report.Omitted++
		return
	}
	*list = append(*list, Finding{Kind: kind, Key: key, Text: fmt.Sprintf(format, args...)})
}

// told returns how many findings there are, those beyond the bound included.
func (v *verifier) told() int { return len(v.report.Findings) + v.report.Omitted }

// kindOf is KindFormat for an object of another format, and otherwise for all else.
func kindOf(err error, otherwise Kind) Kind {
	if errors.Is(err, archive.ErrFormat) {
		return KindFormat
	}
	return otherwise
}

func sum(body []byte) string {
	hash := sha256.Sum256(body)
	return hex.EncodeToString(hash[:])
}
