package plane

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"corridor"
)

const maxScale = 128 // digits behind the point of a decimal

// Value implements parquet.Field. Rows are written as values, never as Go
// structs, so nothing asks for it.
func (l *leafField) Value(base reflect.Value) reflect.Value { return l.field.Value(base) }

// leaf is a column of a Parquet file: how its values become text, and how
// transformed text becomes values.
type leaf struct {
	name   string
	kind   parquet.Kind
	write  func(dst []byte, v parquet.Value) ([]byte, error) // nil: it has no text
	plain  bool                                              // a number without a meaning of its own
	number bool                                              // the outcome keeps the source's type
	out    int                                               // its place in the outcome
}

func leafOf(c *parquet.Column) leaf {
	l := leaf{name: strings.Join(c.Path(), "."), kind: c.Type().Kind()}
	var logical any
	if lt := c.Type().LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch t := logical.(type) {
	case nil, *format.StringType, *format.EnumType, *format.JsonType, *format.BsonType:
		l.write, l.plain = plainText(l.kind)
	case *format.IntType:
		if l.write, l.plain = plainText(l.kind); !t.IsSigned {
			l.write, l.plain = unsignedText(l.kind), false
		}
	case *format.DateType:
		l.write = func(dst []byte, v parquet.Value) ([]byte, error) {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().AppendFormat(dst, "2006-01-02"), nil
		}
	case *format.TimestampType:
		l.write = timestampText(t.Unit)
	case *format.DecimalType:
		if t.Scale >= 0 && t.Scale <= maxScale {
			l.write = decimalText(int(t.Scale))
		}
	case *format.UUIDType:
		l.write = func(dst []byte, v parquet.Value) ([]byte, error) { return hex.AppendEncode(dst, v.ByteArray()), nil }
	}
	return l
}

// settle refuses a column whose values have no text, and decides its type in
// the outcome.
func (l *leaf) settle(c *cell) error {
	if c.drop || len(c.ops) == 0 {
		return nil
	}
	if l.write == nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("column %q", clip(l.name)), Msg: "values of this type can be dropped, but not transformed", Fix: "drop the column, or publish it as a string"}
	}
	l.number = l.plain && c.numeric
	return nil
}

func (l *leaf) text(dst []byte, v parquet.Value) ([]byte, error) {
	dst, err := l.write(dst, v)
	if err == nil && !utf8.Valid(dst) {
		return dst, badText()
	}
	return dst, err
}

// back makes a value of the transformed text.
func (l *leaf) back(text []byte) (parquet.Value, error) {
	if !l.number {
		return parquet.ByteArrayValue(text), nil
	}
	var err error
	var n int64
	var f float64
	switch l.kind {
	case parquet.Int32:
		n, err = strconv.ParseInt(string(text), 10, 32)
		return parquet.Int32Value(int32(n)), outOfRange(err)
	case parquet.Int64:
		n, err = strconv.ParseInt(string(text), 10, 64)
		return parquet.Int64Value(n), outOfRange(err)
	case parquet.Float:
		f, err = strconv.ParseFloat(string(text), 32)
		return parquet.FloatValue(float32(f)), outOfRange(err)
	}
	f, err = strconv.ParseFloat(string(text), 64)
	return parquet.DoubleValue(f), outOfRange(err)
}

func outOfRange(err error) error {
	if err == nil {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Msg: "the generalised value does not fit the column's type", Fix: "choose a smaller bucket, or publish the column as a string"}
}

// plainText also says whether the values are numbers.
func plainText(k parquet.Kind) (write func([]byte, parquet.Value) ([]byte, error), number bool) {
	switch k {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Boolean()), nil }, false
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendInt(dst, int64(v.Int32()), 10), nil
		}, true
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int64(), 10), nil }, true
	case parquet.Float:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, float64(v.Float()), 'f', -1, 32), nil
		}, true
	case parquet.Double:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, v.Double(), 'f', -1, 64), nil
		}, true
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return append(dst, v.ByteArray()...), nil }, false
	}
	return nil, false
}

func unsignedText(k parquet.Kind) func([]byte, parquet.Value) ([]byte, error) {
	if k == parquet.Int64 {
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendUint(dst, v.Uint64(), 10), nil }
	}
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		return strconv.AppendUint(dst, uint64(v.Uint32()), 10), nil
	}
}

func timestampText(unit format.TimeUnit) func([]byte, parquet.Value) ([]byte, error) {
	of := time.UnixMilli
	switch unit.Value.(type) {
	case *format.MicroSeconds:
		of = time.UnixMicro
	case *format.NanoSeconds:
		of = func(n int64) time.Time { return time.Unix(n/1e9, n%1e9) }
	}
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		return of(v.Int64()).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999999"), nil
	}
}

func decimalText(scale int) func([]byte, parquet.Value) ([]byte, error) {
	return func(dst []byte, v parquet.Value) ([]byte, error) {
		n := new(big.Int)
		switch v.Kind() {
		case parquet.Int32:
			n.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			n.SetInt64(v.Int64())
		default:
			b := v.ByteArray()
			if n.SetBytes(b); len(b) > 0 && b[0] >= 0x80 { // two's complement, big endian
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		digits := new(big.Int).Abs(n).String()
		if n.Sign() < 0 {
			dst = append(dst, '-')
		}
		if pad := scale + 1 - len(digits); pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		if scale == 0 {
			return append(dst, digits...), nil
		}
		dst = append(dst, digits[:len(digits)-scale]...)
		return append(append(dst, '.'), digits[len(digits)-scale:]...), nil
	}
}
