package bpf

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// instructions returns those of the programs in the object, by name.
func instructions(t *testing.T) map[string]asm.Instructions {
	t.Helper()
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]asm.Instructions{}
	for name, program := range spec.Programs {
		all[name] = program.Instructions
	}
	if len(all) == 0 {
		t.Fatal("no programs")
	}
	return all
}

// Verifiers before Linux 6.18 take the result of a 16-bit byte swap for unbounded.
// Where it ends up as an offset or an index differs from compiler to compiler, so
// each is masked at once: see ntohs.
func TestByteSwapsAreBounded(t *testing.T) {
	for name, insns := range instructions(t) {
		swaps := 0
		for i, ins := range insns {
			if !ins.OpCode.Class().IsALU() || ins.OpCode.ALUOp() != asm.Swap || ins.Constant != 16 {
				continue
			}
			swaps++
			if !boundsSoon(insns[i+1:], ins.Dst) {
				t.Errorf("%s: instruction %d: %v is used before a mask of 16 bits", name, i, ins)
			}
		}
		if swaps == 0 {
			t.Errorf("%s: no 16-bit byte swap was found: this test finds nothing", name)
		}
	}
}

// boundsSoon reports whether these instructions mask the register before they use it or
// may go elsewhere.
func boundsSoon(insns asm.Instructions, reg asm.Register) bool {
	for _, ins := range insns {
		op := ins.OpCode
		switch {
		case op.Class().IsALU() && op.ALUOp() == asm.And && ins.Dst == reg:
			return op.Source() == asm.ImmSource && ins.Constant == 0xffff
		case op.JumpOp() == asm.Call || ins.Dst == reg && !op.Class().IsLoad():
			return false
		case ins.Src == reg && op.Class().IsALU() && op.Source() == asm.RegSource:
			return false
		case op.Class().IsJump() && op.JumpOp() != asm.Ja:
			return false
		}
	}
	return false
}

// To a loader without CAP_PERFMON, verifiers before Linux 6.8 refuse to write less than
// 8 bytes to a word of the stack that holds a number with known bounds. Which words
// those are depends on what the compiler spills where; so all are written whole.
func TestStackIsWrittenInWholeWords(t *testing.T) {
	for name, insns := range instructions(t) {
		stores := 0
		for i, ins := range insns {
			if !ins.OpCode.Class().IsStore() || ins.Dst != asm.RFP {
				continue
			}
			stores++
			if ins.OpCode.Size() != asm.DWord || ins.Offset%8 != 0 {
				t.Errorf("%s: instruction %d: %v writes a part of a word of the stack", name, i, ins)
			}
		}
		if stores == 0 {
			t.Errorf("%s: nothing is written to the stack: this test finds nothing", name)
		}
	}
}
