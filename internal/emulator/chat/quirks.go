package chatemu

// Quirks are the points where the documentation is silent, contradicts itself, or the service was seen to behave
// differently. The zero value of each axis is what the documentation says or what is most likely. axes.go has the
// same axes by name.
type Quirks struct {
	Counting    Counting    // what ReqMsgNumber counts
	SeqZero     SeqZero     // what ReqMsgSeq 0 means
	AboveNewest AboveNewest // what a ReqMsgSeq above the newest seq means

	Recalled        RecalledBody    // recalled messages with WithRecalledMsg 1
	RecalledDefault RecalledDefault // recalled messages without it
	RecalledIgnored bool            // WithRecalledMsg is ignored: always RecalledDefault
	Expired         HoleShape       // seqs below the floor
	Holes           HoleShape       // deleted and never stored messages
	Late            HoleShape       // messages that have their seq but cannot be seen yet

	PlaceBody PlaceBody // MsgBody of a placeholder
	PlaceFrom PlaceFrom // From_Account of a placeholder
	PlaceTime PlaceTime // MsgTimeStamp of a placeholder

	EmptyList       EmptyList // RspMsgList of an empty page
	PageBytes       int       // elements of a page have at most so many bytes together, but there is at least one; 0 off
	Cut             Cut       // which end of a page PageBytes cuts off
	Finished        Finished  // when IsFinished is 2
	FinishedOmitted bool      // no IsFinished at all
	NextSeq         bool      // pages have NextReqMsgSeq

	LargeNumber  LargeNumber  // ReqMsgNumber above 20
	AVChatRoom   AVChatRoom   // pages of an AVChatRoom
	UnknownGroup UnknownGroup // pages of a group that never existed
	UnknownTopic UnknownTopic // pages of a topic that does not exist
	TopicsOff    bool         // get_topic answers 11000
	ListEnd      ListEnd      // Next on the last page of get_appid_group_list

	ContentType      bool // answers have Content-Type: application/json
	PrettyEvery      int  // every k-th answer is indented with tabs; 0 none
	ShuffleKeys      bool // members come in another order
	InvalidUTF8Every int  // messages of every k-th seq have a byte that is not UTF-8; 0 none
	CloseAfter       int  // connections are closed after so many calls; 0 never

	// Violations of the protocol.
	IgnoreSeq      bool // every page is the newest one
	Unsorted       bool // elements in any order
	Duplicate      bool // a page's newest element comes twice
	BelowWindow    bool // an element three below the window is added
	AboveWindow    bool // an element seven above ReqMsgSeq is added
	Overlap        int  // pages begin so many seqs above ReqMsgSeq
	SeqAsString    bool // "MsgSeq":"17"
	MissingSeq     bool // the last element of a page has no MsgSeq
	EmptyOnceEvery int  // pages of every k-th ReqMsgSeq are empty when asked for the first time; 0 none
}

// Counting is what ReqMsgNumber counts.
type Counting int

// The readings of ReqMsgNumber (rule 10).
const (
	CountSeqs     Counting = iota // the window is (s-n, s]
	CountMessages                 // downwards until n elements were found
)

// SeqZero is what ReqMsgSeq 0 means.
type SeqZero int

// The readings of ReqMsgSeq 0 (rule 9).
const (
	ZeroIsNewest SeqZero = iota
	ZeroIsEmpty
	ZeroIsRefused
)

// AboveNewest is what a ReqMsgSeq above the newest seq means.
type AboveNewest int

// The readings of a window above the newest seq (rule 9).
const (
	AboveIsClamped AboveNewest = iota
	AboveIsEmpty               // the seqs do not exist, those below them do
)

// RecalledBody is how a recalled message comes with WithRecalledMsg 1.
type RecalledBody int

// The shapes of a recalled message (rule 10): always IsPlaceMsg 2.
const (
	RecalledBodyKept RecalledBody = iota
	RecalledBodyEmpty
)

// RecalledDefault is how a recalled message comes without WithRecalledMsg.
type RecalledDefault int

// The shapes of a recalled message that was not asked for (rule 10).
const (
	RecalledIsHole RecalledDefault = iota // IsPlaceMsg 1
	RecalledIsMarked
	RecalledIsOmitted
)

// HoleShape is how a message comes that cannot be had.
type HoleShape int

// The shapes of a hole (rule 10).
const (
	HoleIsPlaceholder HoleShape = iota
	HoleIsOmitted
)

// PlaceBody is the MsgBody of a placeholder.
type PlaceBody int

// The shapes of a placeholder's body (rule 11).
const (
	PlaceBodyEmpty PlaceBody = iota
	PlaceBodyAbsent
	PlaceBodyNull
)

// PlaceFrom is the From_Account of a placeholder.
type PlaceFrom int

// The shapes of a placeholder's sender (rule 11).
const (
	PlaceFromEmpty PlaceFrom = iota
	PlaceFromAbsent
)

// PlaceTime is the MsgTimeStamp of a placeholder.
type PlaceTime int

// The shapes of a placeholder's time (rule 11).
const (
	PlaceTimeZero PlaceTime = iota
	PlaceTimeOriginal
	PlaceTimeAbsent
)

// EmptyList is the RspMsgList of an empty page.
type EmptyList int

// The shapes of an empty page (rule 12).
const (
	EmptyListAbsent EmptyList = iota
	EmptyListNull
	EmptyListEmpty
)

// Cut says which end of a page is cut off by PageBytes.
type Cut int

// The cuts (rule 13).
const (
	CutOldest Cut = iota
	CutNewest
)

// Finished says when IsFinished is 2.
type Finished int

// The readings of IsFinished 2 (rule 14).
const (
	FinishedBelow      Finished = iota // nothing retained below the page, and something has expired
	FinishedWindow                     // the whole window has expired
	FinishedNever                      //
	FinishedAtOne                      // as FinishedBelow, and also on a page that reaches seq 1
	FinishedDespiteCut                 // as FinishedBelow, of the window asked for: older messages may have been cut off the page
)

// LargeNumber is what a ReqMsgNumber above 20 means.
type LargeNumber int

// The readings of a ReqMsgNumber above 20 (rule 8).
const (
	LargeIsTwenty LargeNumber = iota
	LargeIsRefused
)

// AVChatRoom is the answer to pages of a group without history.
type AVChatRoom int

// The answers to pages of an AVChatRoom (rule 7).
const (
	AVChatRoomParameter  AVChatRoom = iota // 10004
	AVChatRoomPermission                   // 10007
	AVChatRoomEmpty                        // OK, empty
)

// UnknownGroup is the answer to pages of a group that never existed.
type UnknownGroup int

// The answers to pages of an unknown group (rule 7). A dissolved one is always 10010.
const (
	UnknownGroupGone UnknownGroup = iota // 10010
	UnknownGroupBad                      // 10015
)

// UnknownTopic is the answer to pages of a topic that does not exist.
type UnknownTopic int

// The answers to pages of an unknown topic (rule 7).
const (
	UnknownTopicGone    UnknownTopic = iota // 10010
	UnknownTopicDeleted                     // 110003
)

// ListEnd is Next on the last page of get_appid_group_list.
type ListEnd int

// The ends of the list of groups (rule 16; the documentation's sample lacks Next).
const (
	ListEndZero ListEnd = iota
	ListEndOmitted
)
