# A PVH guest is entered in 32-bit protected mode without paging. Maps the first GiB onto itself and
# goes to 64 bits.

    .section .note.Xen, "a"
    .balign 4
    .long 4                     # bytes of the name
    .long 4                     # bytes of the entry
    .long 18                    # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long start32

    .section .boot, "ax"
    .code32
    .global start32
start32:
    cli
    movl $stack_top, %esp
    movl $level3, %eax
    orl $3, %eax
    movl %eax, level4
    movl $level2, %eax
    orl $3, %eax
    movl %eax, level3
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x83, %eax             # present, writable, 2 MiB
    movl %eax, level2(,%ecx,8)
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    movl $level4, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax             # physical address extension
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax            # long mode
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax       # paging, protection
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $start64

    .code64
start64:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $stack_top, %rsp
    call kernel_main
2:  hlt
    jmp 2b

    .balign 8
gdt:
    .quad 0
    .quad 0x00209a0000000000    # 64-bit code
gdt_pointer:
    .short . - gdt - 1
    .long gdt

    .section .bss
    .balign 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4096
    .skip 65536
stack_top:
