package option

import (
	"fmt"
	"strconv"
	"strings"
)

// A Space is a part of a disk: a number of bytes, or a percentage of all that the disk
// has. The zero Space is none.
type Space struct {
	Bytes   int64
	Percent int // 0 where Bytes counts
}

// Of returns how many bytes that is of a disk of total bytes.
func (s Space) Of(total uint64) uint64 {
	if s.Percent > 0 {
		return total / 100 * uint64(s.Percent)
	}
	return uint64(s.Bytes)
}

// String returns the space as it is written.
func (s Space) String() string {
	if s.Percent > 0 {
		return strconv.Itoa(s.Percent) + "%"
	}
	return FormatSize(s.Bytes)
}

// SpaceValue is a size from lo to hi bytes, a percentage from 1% to 99%, or 0, which
// zeroMeans says what it stands for.
func SpaceValue(p *Space, lo, hi int64, zeroMeans string) Value {
	allowed := fmt.Sprintf("0 (%s), %s to %s, or 1%% to 99%% of the disk", zeroMeans, FormatSize(lo), FormatSize(hi))
	return Value{
		Set: func(text string) error {
			if digits, ok := strings.CutSuffix(strings.TrimSpace(text), "%"); ok {
				n, err := strconv.Atoi(strings.TrimSpace(digits))
				if err != nil || n < 1 || n > 99 {
					return &Problem{Text: "not a percentage in range", Allowed: allowed}
				}
				*p = Space{Percent: n}
				return nil
			}
			n, err := ParseSize(text)
			if err != nil {
				return &Problem{Text: "neither a size nor a percentage", Allowed: allowed}
			}
			*p = Space{Bytes: n}
			return nil
		},
		Get: func() string { return p.String() },
		Check: func() error {
			switch s := *p; {
			case s == Space{}, s.Percent == 0 && s.Bytes >= lo && s.Bytes <= hi, s.Bytes == 0 && s.Percent >= 1 && s.Percent <= 99:
				return nil
			}
			return &Problem{Text: "out of range", Allowed: allowed}
		},
	}
}
