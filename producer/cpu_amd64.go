//go:build !weirsafe

package producer

// fastBits says that this CPU has the instructions that the encoders in
// assembly are made of (BMI1, BMI2, LZCNT, MOVBE: Intel since Haswell, AMD since
// Zen 3), and that depositing bits (PDEP) is no slow microcode, as it was before
// Zen 3. Where it is false, and on other machines, the same is done in Go.
var fastBits = detectFastBits()

// cpuid is the instruction of that name. Implemented in cpu_amd64.s.
//
//go:noescape
func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)

func detectFastBits() bool {
	const (
		movbe        = 1 << 22 // leaf 1, ecx
		bmi1         = 1 << 3  // leaf 7, ebx
		bmi2         = 1 << 8
		lzcnt        = 1 << 5 // leaf 0x80000001, ecx
		firstFastAMD = 0x19   // family of Zen 3
	)
	most, vendor, _, _ := cpuid(0, 0)
	mostExtended, _, _, _ := cpuid(0x80000000, 0)
	if most < 7 || mostExtended < 0x80000001 {
		return false
	}
	version, _, one, _ := cpuid(1, 0)
	_, seven, _, _ := cpuid(7, 0)
	_, _, extended, _ := cpuid(0x80000001, 0)
	if one&movbe == 0 || seven&(bmi1|bmi2) != bmi1|bmi2 || extended&lzcnt == 0 {
		return false
	}
	switch vendor {
	case 0x68747541, 0x6f677948: // "Auth"enticAMD, "Hygo"nGenuine
		family := version >> 8 & 0xf
		if family == 0xf {
			family += version >> 20 & 0xff
		}
		return family >= firstFastAMD
	}
	return true
}
