package layout

import "strings"

// What an object can have at most, in bytes. Nothing larger was written by this program, and reading it could cost any
// amount of memory. Package archive proves that the longest manifest fits.
const (
	// A state has about 1 KB and one text that is cut; a genesis has two ids.
	maxSmall = 64 << 10

	// A manifest lists at most 500 chunks (archive.MaxManifestChunks). An entry has some 25 members, each a line of at most
	// 25 bytes of indent and name: 0.6 KB; 17 numbers of at most 20 digits: 0.3 KB; 3 words of 128 bytes, each escaped to at
	// most 2: 0.8 KB; 3 sums: 0.2 KB; a key with two ids of 128 bytes, each escaped to 3: 0.8 KB. That is 2.7 KB; 4 KB leave
	// room for members that come. The rest of it is no more than a genesis and a few sums.
	maxManifest = 500*(4<<10) + maxSmall

	// Of a sweep's objects for people, the report names 4 x 1,000 streams, each with two ids, a text of 300 bytes, and some
	// 250 bytes beside: less than 1.5 KB, or 6 MB.
	maxSweepJSON = 8 << 20

	// A piece of the others has 50,000 groups and their topics, or 20,000 streams that are known, or what one batch served.
	// A line has two ids of 128 bytes at most and numbers, and gzip makes a third of it.
	maxSweepLines = 32 << 20

	// A body of 1 MB (event) as base64, and the reason.
	maxRejected = 2 << 20

	// A chunk is closed when its gzip has EXPORT_CHUNK_BYTES, 256 MiB at most: a segment of 320 messages or one line of 16 MB
	// may be on top.
	maxChunk = (256 + 32) << 20

	// A receipt for links has 1,000 of them at most, in whole messages. A URL and a name are text of a message, which has 12
	// KB at most, written twice as long where all of it must be escaped: 24 MB, of which gzip leaves a part. One message with
	// a million short links stays below that, too.
	maxMedia = 32 << 20

	// A receipt of a look has 100,000 seqs at most, of one chunk. Each line repeats an element, as a chunk does; on top are a
	// sum of 64 digits, which gzip halves, and some 100 bytes: 10 MB. The links of an element repeat what stands right before
	// them, which gzip finds.
	maxChange = maxChunk + 32<<20

	// A file has MEDIA_MAX_BYTES, 480 MB at most, be they of 1,000 or of 1,024 each.
	maxBlob = 480 << 20
)

// MaxBytes returns the most bytes that an object under this key can have. Of a key that is none of an archive nothing is
// known: it may be as long as any.
func MaxBytes(key string) int64 {
	name, _ := Parse(key)
	switch name.Kind {
	case KindGenesis, KindState:
		return maxSmall
	case KindManifest:
		return maxManifest
	case KindMedia:
		return maxMedia
	case KindChange:
		return maxChange
	case KindBlob:
		return maxBlob
	case KindSweep:
		if strings.HasSuffix(key, jsonSuffix) {
			return maxSweepJSON
		}
		return maxSweepLines
	case KindRejected:
		return maxRejected
	default: // KindChunk, and no key of an archive
		return maxChunk
	}
}
