//! Hints about memory: to the processor, what is needed next; to the kernel, what is worth large pages. The only module with `unsafe`
//! in it; no hint changes what the program sees.

/// Arrays of fewer bytes are not worth a call.
const LARGE: usize = 4 << 20;
/// Bytes of a usual page.
#[cfg(target_os = "linux")]
const PAGE: usize = 4096;

/// Asks the processor to bring an element near, of one or two cache lines. Nothing else happens, also where there is no such
/// element or the processor is none that can be asked.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "the processor's own instruction has no safe form"))]
pub(crate) fn prefetch<T>(slice: &[T], position: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees and never faults, whatever the address (Intel's and AMD's manuals,
        // PREFETCHh); SSE, which it needs, is part of x86-64. The addresses are computed without being followed.
        let ask = |address: *const i8| unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
        let first = slice.as_ptr().wrapping_add(position);
        ask(first.cast());
        ask(first.wrapping_add(1).cast::<i8>().wrapping_sub(1));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, position);
}

/// Asks the kernel to give what a large array will take in large pages: each page costs a fault when it is first touched, and in a
/// virtual machine that is some microseconds. To be called before the array is filled, and again after it was moved.
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "advice about addresses is unsafe by its form, whatever is advised")
)]
pub(crate) fn advise_hugepages<T>(array: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        let length = array.capacity().saturating_mul(size_of::<T>());
        if length >= LARGE {
            // Whole pages, those of the allocation's own header and end too, so that its mapping stays one and can grow in place.
            let before = array.as_ptr().addr() % PAGE;
            let length = (before + length).next_multiple_of(PAGE);
            let start = array.as_ptr().cast::<u8>().wrapping_sub(before);
            // SAFETY: MADV_HUGEPAGE (madvise(2)) changes neither the contents nor the protection of any page, whoever's it is, only
            // the size of pages that are not there yet. A kernel that knows no such pages, or none of 4 kB, refuses, which does no harm.
            let _ = unsafe { madvise(start.cast_mut().cast(), length, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (array, LARGE);
}
